from django.urls import include, path, re_path

from .views import account, avatar, factors, security

urlpatterns = [
    path("settings", account.settings, name="account_settings"),
    path("settings/avatar", avatar.change, name="account_avatar"),
    path("settings/avatar/removal", avatar.remove, name="account_avatar_removal"),
    path("signup/other", account.other_address, name="account_other_address"),
    path("theme", account.theme, name="account_theme"),
    path("security", security.security, name="account_security"),
    path("security/second-factor", security.second_factor, name="account_second_factor"),
    path("security/onward", security.onward, name="account_onward"),
    path("browsers/<str:handle>/sign-out", security.sign_out, name="account_sign_out"),
    path("browsers/sign-out", security.sign_out_others, name="account_sign_out_others"),
    # allauth's second factors; where ours stand before them, they have the same names.
    path("2fa/", security.moved, name="mfa_index"),
    path("2fa/webauthn/", security.moved, name="mfa_list_webauthn"),
    path("2fa/totp/activate/", factors.add_app, name="mfa_activate_totp"),
    path("2fa/totp/deactivate/", factors.remove_app, name="mfa_deactivate_totp"),
    path("2fa/webauthn/keys/<int:pk>/remove/", factors.remove_passkey, name="mfa_remove_webauthn"),
    path("2fa/webauthn/add/", factors.add_passkey, name="mfa_add_webauthn"),
    path("2fa/webauthn/reauthenticate/", factors.passkey_again, name="mfa_reauthenticate_webauthn"),
    path("2fa/recovery-codes/", factors.recovery_codes, name="mfa_view_recovery_codes"),
    path("2fa/", include("allauth.mfa.urls")),
    re_path(r"^(?P<page>login|signup|logout|email|password/reset|password/change)$", account.with_slash),
    path("", include("allauth.account.urls")),
]
