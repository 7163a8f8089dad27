"""How a request to the world can fail; the text of each error says why, for a person."""


class OutboundError(Exception):
    """The request did not come to its end."""


class Refused(OutboundError):
    """The address is not one that may be asked for."""


class Unreachable(OutboundError):
    """No connection came about."""


class TooSlow(OutboundError):
    """A time limit ran out."""


class TooLarge(OutboundError):
    """The answer is larger than allowed."""


class BrokenOff(OutboundError):
    """The connection ended before the answer did, or what came is not HTTP."""
