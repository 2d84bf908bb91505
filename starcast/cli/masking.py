"""Passwords, tokens and keys, masked in all that is printed or recorded.

They are known by where they stand (in an address, after a name such as `password`), by how they begin
(`ghp_...`), or by letters and digits that nobody would write by hand. Ordinary code stays as it is.
"""

import re
from collections.abc import Sequence

HIDDEN = "..."
UNMASKED = "STARCAST_UNMASKED"  # set by `run.py`: as JSON, the parameters that MLflow was given masked
_PEM = r"[A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
_LINE = r"^[+ -]?+[ \t]*+"  # how a line begins, also in a diff
_NO_CODE = r"(?!\{\w+\}(?::\{\w+\})?@)"  # f"https://{user}:{password}@..." holds no password
# How tokens begin: Amazon; GitHub, GitLab; package indexes; model hubs; Slack, Google; JSON web tokens.
TOKEN = "|".join(
    (
        r"(?:AKIA|ASIA|ABIA|ACCA)[0-9A-Z]{16}\b",
        r"gh[opsru]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|gl[a-z]{2,4}-[\w-]{20,}",
        r"npm_[A-Za-z0-9]{30,}|pypi-[\w-]{40,}|dckr_\w{2,4}_[\w-]{20,}|do[opr]_v1_\w{32,}",
        r"hf_[A-Za-z0-9]{20,}|sk-(?=[\w-]*\d)[\w-]{20,}|[rs]k_(?:live|test)_\w{10,}|dapi[0-9a-f]{32}",
        r"xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|AIza[\w-]{35}|ya29\.[\w-]{20,}",
        r"SG\.[\w-]{16,}\.[\w-]{16,}|AGE-SECRET-KEY-1[0-9A-Z]{20,}",
        r"eyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?",
    )
)
PATTERNS = tuple(
    (re.compile(pattern), instead)
    for pattern, instead in (
        (rf"\b(?:{TOKEN})", HIDDEN),
        (rf"(https?://){_NO_CODE}[^/\s]{{0,300}}@", r"\1"),
        # A database password may contain a slash.
        (rf"((?<!http)(?<!https)://){_NO_CODE}[^/\s:@|()\[\]'\"]{{0,300}}(?::\S{{0,300}})?@", r"\1"),
        (
            r"(?i)([?&](?!viewStateShareKey)[\w-]*(?:password|token|secret|sig|signature|credential|key)"
            r"[\w-]*=)[^&\s'\"]*",
            rf"\1{HIDDEN}",
        ),
        (r"(hooks\.slack\.com/services/)[\w/-]+", rf"\1{HIDDEN}"),
        # Private keys: whole ones, and the part of one that a diff shows.
        (rf"(-----BEGIN {_PEM})(?:(?!-----BEGIN)[\s\S]){{0,20000}}?(-----END {_PEM})", rf"\1{HIDDEN}\2"),
        (rf"(?m)(?:{_LINE}[A-Za-z0-9+/=]{{1,76}}+\n)++(?={_LINE}-----END {_PEM})", f"{HIDDEN}\n"),
        (rf"(?m)({_LINE})(?=[A-Za-z0-9+/]{{60,76}}={{0,2}}$)(?=.*[a-z])(?=.*[A-Z]).*\d.*$", rf"\1{HIDDEN}"),
        (r"(?i)\b((?:bearer|basic)\s+)(?=[\w.~+/-]*\d)[\w.~+/-]{16,}=*", rf"\1{HIDDEN}"),
    )
)
# A name that ends so, perhaps a quote, a bracket and a type, then a sign and a value, in quotes or bare.
ASSIGNED = re.compile(
    r"(?P<before>(?i:(?P<password>(?<![a-z])pass|passw(?:or)?d|passphrase|pwd|secret)"
    r"|(?:access|account|api|private|secret|shared)[_-]?key|(?<![a-z])key|token|credentials?|auth)"
    r"(?:_?\d+)?['\"]?\]?[ \t]*(?::[ \t]*[A-Za-z][\w.\[\] |]*)?"
    r"(?P<sign>[ \t]*(?:[=!:]=|=>|[=:,])[ \t]*|[ \t]+)[rbufRBUF]{0,2})"
    r"(?:(?P<quote>['\"])(?P<text>(?:(?!(?P=quote))[^\\\n]|\\.)+)(?=(?P=quote))"
    r"|(?P<bare>[^\s'\"(){}\[\],;&<>]{6,})(?=[\s'\",;&)}\]]|$))"
)
# What stands for a value: "${NAME}", "{name}", "<password>", "NAME_OF_A_VARIABLE", "...".
STAND_IN = re.compile(r"\$\{?\w+\}?|.*\{[\w.]*\}.*|<[^<>]*>|[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+|\.\.\.|\*+")
OF_SHELL = re.compile(r"[A-Z]=$")  # code has spaces around =, but after names in lower case
NAME = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")  # of a value in code, such as `settings.password2`
# (least letters and digits, mean run length below which they count as random): for the longest part of a
# value, and for a whole value whose parts are short, as in base64.
RANDOM, RANDOM_WHOLE = ((20, 5.0), (12, 4.0), (8, 2.7)), ((20, 3.2),)


def without_secrets(text: str) -> str:
    """Return a text without the passwords, tokens and keys in it, and without the user names of addresses."""
    for pattern, instead in PATTERNS:
        text = pattern.sub(instead, text)
    return ASSIGNED.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    value, sign = found["text"] or found["bare"], found["sign"].strip()
    if STAND_IN.fullmatch(value) or (found["bare"] and NAME.fullmatch(value)):
        return found[0]
    is_password = found["password"] and sign not in ("", ",")
    if found["text"]:
        hidden = is_password or _looks_random(value)
    else:
        is_literal = _has_digit_and_letter(value) or bool(OF_SHELL.search(found["before"]))
        hidden = (is_password and is_literal) or _looks_random(value)
    return f"{found['before']}{found['quote'] or ''}{HIDDEN}" if hidden else found[0]


def _has_digit_and_letter(value: str) -> bool:
    return bool(re.search(r"\d", value) and re.search(r"[A-Za-z]", value))


def _looks_random(value: str) -> bool:
    """Tell random letters and digits from words by the length of their runs: `a8Kd3x`, not `layer_12`."""
    if re.search(r"[^\w+/=.~:-]", value):
        return False
    parts = re.split(r"[\W_]", value)
    longest, whole = max(parts, key=len), "".join(parts)
    if re.fullmatch(r"(?=.*\d)(?=.*[a-f])[\da-f]{16,}", whole, re.IGNORECASE):
        return True
    return _is_mixed(longest, RANDOM) or bool(re.search("[A-Z]", whole) and _is_mixed(whole, RANDOM_WHOLE))


def _is_mixed(letters: str, limits: Sequence[tuple[int, float]]) -> bool:
    runs = re.findall(r"[A-Z]?[a-z]+|[A-Z]+|\d+", letters)
    most = next((mean for least, mean in limits if len(letters) >= least), 0)
    mixed = _has_digit_and_letter(letters) or re.search(r"[a-z].*[A-Z].*[a-z]", letters)
    return bool(mixed) and len(letters) / len(runs) < most
