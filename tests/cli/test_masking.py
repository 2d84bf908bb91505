"""What is masked in a text that is printed or recorded: every planted secret, no ordinary code."""

import random
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starcast.cli.masking import without_secrets

PROJECT = Path(__file__).parents[2]
ADDRESS_SECRET = st.text("abcXYZ019-._~!$&'()*+,;=%:@", min_size=8, max_size=30).map(lambda s: f"Z9{s}9Z")
LETTERS = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
TOKENS = {  # how it begins, of what, how long
    "amazon": ("AKIA", string.ascii_uppercase + string.digits, 16),
    "github": ("ghp_", LETTERS, 36),
    "github-fine": ("github_pat_", LETTERS + "_", 82),
    "gitlab": ("glpat-", LETTERS + "-_", 20),
    "hugging-face": ("hf_", LETTERS, 34),
    "openai": ("sk-proj-4", LETTERS + "-_", 40),
    "anthropic": ("sk-ant-api03-", LETTERS + "-_", 90),
    "slack": ("xoxb-", string.digits + "-" + LETTERS, 50),
    "google": ("AIza", LETTERS + "-_", 35),
    "databricks": ("dapi", HEX, 32),
    "pypi": ("pypi-", LETTERS + "-_", 100),
    "jwt": ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.", LETTERS + "-_", 43),
}
NAMELESS = {"hex": HEX, "base64": LETTERS + "+/", "letters": LETTERS}  # known by the name before them only
PLACES = (
    "+{}",
    "-    login({!r})\n",
    " # was {} before",
    "Authorization: Bearer {}",
    "step --login={} --x=1",
)
ASSIGNMENTS = (
    '+TOKEN = "{}"',
    "+    api_key: str = '{}'",
    "-export AWS_SECRET_ACCESS_KEY={}",
    '+  "token": "{}",',
    " client_secret: {}",
    'os.environ["HF_TOKEN"] = "{}"',
    'monkeypatch.setenv("WANDB_API_KEY", "{}")',
    "step --password={} --seed=1",
    "step --auth-token {}",
    "AccountName=me;AccountKey={};EndpointSuffix=core",
    'storageAccountKey: "{}"',
    "https://example.org/x?api_key={}&page=2",
    "connect(password='{}', host='db')",
    "postgresql://ann:{}@db/mlflow",
)


def drawn(seed: int, alphabet: str, length: int) -> str:
    return "".join(random.Random(seed).choices(alphabet, k=length))


@given(
    ADDRESS_SECRET,
    st.sampled_from(["http", "https", "postgresql", "postgresql+psycopg", "mysql+pymysql"]),
    st.sampled_from(["", "/mlflow"]),
)
def test_no_password_is_left_in_an_address(secret: str, scheme: str, path: str) -> None:
    assert (
        without_secrets(f"{scheme}://ann:{secret}@db.example:5432{path}")
        == f"{scheme}://db.example:5432{path}"
    )


@given(st.sampled_from(list(TOKENS)), st.sampled_from(PLACES + ASSIGNMENTS), st.integers(0, 10**9))
def test_a_token_known_by_its_beginning_is_masked_wherever_it_stands(
    kind: str, place: str, seed: int
) -> None:
    begins, alphabet, length = TOKENS[kind]
    token = begins + drawn(seed, alphabet, length)
    shown = without_secrets(place.format(token))
    assert token[-12:] not in shown
    assert without_secrets(shown) == shown


@given(
    st.sampled_from(list(NAMELESS)), st.sampled_from(ASSIGNMENTS), st.integers(0, 10**9), st.integers(40, 64)
)
def test_random_letters_after_a_telling_name_are_masked(
    kind: str, place: str, seed: int, length: int
) -> None:
    token = drawn(seed, NAMELESS[kind], length)
    assert token not in without_secrets(place.format(token))


@pytest.mark.parametrize(
    "line",
    [
        'password = "hunter2"',
        "DB_PASSWORD=hunter2",
        "export PGPASSWORD=hunter2",
        "  passwd: 'hunter2'",
        'if given_password == "hunter2":',
        '{"user": "ann", "password": "hunter2"}',
        "db_pass = 'correct hunter2 staple'",
        "client_secret: str = 'hunter2'",
    ],
)
def test_a_short_password_is_masked_after_its_name(line: str) -> None:
    shown = without_secrets(line)
    assert "hunter2" not in shown
    assert "..." in shown


@given(st.integers(0, 10**9), st.integers(3, 30), st.sampled_from("+- "), st.integers(0, 40))
def test_of_a_private_key_a_diff_shows_nothing(seed: int, lines: int, sign: str, hidden: int) -> None:
    body = [drawn(seed + line, LETTERS + "+/", 64) for line in range(lines)]
    whole = ["-----BEGIN RSA PRIVATE KEY-----", *body, "c2hvcnQ=", "-----END RSA PRIVATE KEY-----"]
    for part in (whole, whole[min(hidden, lines) :], whole[: max(lines - hidden, 1)]):
        shown = without_secrets("".join(f"{sign}{line}\n" for line in part))
        assert not [line for line in [*body, "c2hvcnQ"] if line in shown]


@pytest.mark.parametrize(
    "line",
    [
        "words.sort(key=lambda word: (-counts[word], word))",
        "token = tokenizer.next()",
        "secret = read_secret(path)",
        "password = getpass.getpass()",
        "self.password = password",
        "def connect(user: str, password: str | None = None) -> None:",
        'token = "<pad>"',
        'tokenizer = "bert-base-uncased-v2"',
        'key = "learning_rate_12"',
        'sort_key="attributes.start_time"',
        'key = "data/raw/v1/file2"',
        "key = embedding_layer_12_weights",
        "key: tuple[str, ...] = tags.get('role', ''), run.info.run_name",
        'PASSWORD = "MLFLOW_TRACKING_PASSWORD"',
        'url = f"postgresql://{user}:{password}@{host}/db"',
        "keys = sorted(settings)",
        "export TOKEN=$MY_TOKEN_2",
        "for key, value in sorted(parameters.items()):",
        "polars==1.44.0 --hash=sha256:2f4c1e9b6a77aa0d5f1d2c3b4a5968778695a4b3c2d1e0ff00112233445566aa",
        "Author: Ann <ann@example.org>",
    ],
)
def test_ordinary_code_stays_as_it_is(line: str) -> None:
    assert without_secrets(line) == line


def test_our_own_code_stays_as_it_is() -> None:
    for file in sorted(path for room in ("starcast", "steps") for path in (PROJECT / room).rglob("*.py")):
        text = file.read_text(encoding="utf-8")
        assert without_secrets(text) == text, file


def test_a_long_line_takes_no_time() -> None:
    """A second run over each of its addresses would take minutes."""
    line = "s3://bucket:1/" * 20_000
    assert without_secrets(line) == line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("https://token@example.org/mlflow", "https://example.org/mlflow"),
        ("sqlite:////home/ann/mlflow.db", "sqlite:////home/ann/mlflow.db"),
        ("postgresql+psycopg://ann:pa/ss@db/mlflow", "postgresql+psycopg://db/mlflow"),
        (
            "postgresql+psycopg://db/mlflow?user=ann&password=abc&x=1",
            "postgresql+psycopg://db/mlflow?user=ann&password=...&x=1",
        ),
        (
            "request to http://a:b@h/x and http://c:d@h/y failed",
            "request to http://h/x and http://h/y failed",
        ),
        ("models:/review-rating@challenger", "models:/review-rating@challenger"),
    ],
)
def test_what_is_shown_of_a_text_with_addresses(text: str, shown: str) -> None:
    assert without_secrets(text) == shown
