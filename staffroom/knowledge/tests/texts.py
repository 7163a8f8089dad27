"""Five texts that somebody could have written, in three languages."""

HANDBOOK = """# Opening hours

The shop is open from Tuesday to Saturday, ten to seven. On public holidays it stays closed. In July and August we
also open on Sundays from noon to five.

# Renting a bicycle

## What to bring

Bring an identity card or a passport. We keep no deposit for city bikes; for cargo bikes and e-bikes we block 200 euros
on your card and release them when the bike is back.

## Prices

A city bike costs 18 euros a day, an e-bike 38 euros a day, a cargo bike 55 euros a day. From the third day on, every
day costs a quarter less. Children under twelve ride free on a small bike when an adult rents one.

## Coming back late

A rented bicycle comes back by seven in the evening. Every further hour costs four euros. Whoever calls before six
may keep it overnight for ten euros.

# When something breaks

A flat tyre on the road: call us, we come out within the city free of charge. Damage by a fall is paid by the renter up
to 300 euros. A stolen bike must be reported to the police the same day.
"""

RETURNS = """# Sending things back

You may return anything you bought in the shop or online within 30 days of delivery, unused and with its tags. Print
the label from your order page, pack the goods and hand the parcel in at any post office.

# Refunds

The money goes back the way it came, within five working days after the parcel has arrived. Shipping is refunded only
when we sent the wrong thing or it was faulty.

# What cannot be returned

Helmets, opened inner tubes and gift cards cannot be returned. Made-to-order frames are exchanged only when faulty.

# Warranty

Every frame has five years of warranty against breakage; batteries have two years or 500 charges.
"""

ONBOARDING = """# Your first week

On Monday you get your keys, your locker and an account for the till. Ask Jonas for the alarm code; it is never written
down. On Tuesday you watch Nadia in the workshop, and on Thursday you serve customers together with her.

# Holidays and illness

Full-time staff have 28 days of holiday. Ask for them two weeks ahead in the calendar. When you are ill, call before
nine; a doctor's note is needed from the third day.

# Money

Wages are paid on the 25th. Staff buy parts and accessories at cost price plus ten percent.
"""

RUSSIAN = """# Доставка

Мы доставляем велосипеды по городу бесплатно при заказе от пяти тысяч рублей. Доставка занимает один или два дня.
Курьер позвонит за час до приезда.

# Гарантия

На раму действует гарантия пять лет, на аккумулятор — два года. Гарантийный ремонт делает наша мастерская на улице
Садовой. Возьмите с собой чек и паспорт изделия.

# Оплата

Принимаем карты, наличные и переводы. Для юридических лиц выставляем счёт, оплатить его можно в течение десяти дней.
"""

CHINESE = """# 营业时间

我们从星期二到星期六营业，上午十点到晚上七点。节假日休息。

# 退货政策

收到商品后三十天内可以退货，商品必须未使用并保留吊牌。退款将在五个工作日内退回原支付方式。头盔和礼品卡不能退货。

# 租车价格

城市自行车每天十八欧元，电动自行车每天三十八欧元。从第三天起每天便宜四分之一。
"""

ALL = {
    "Shop handbook": HANDBOOK,
    "Returns policy": RETURNS,
    "Welcome to the team": ONBOARDING,
    "Доставка и гарантия": RUSSIAN,
    "门店须知": CHINESE,
}
