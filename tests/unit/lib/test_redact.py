"""The secrets here are made up, or the well-known examples of their makers' documentation."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.lib import redact as redaction
from watcher.lib.redact import redact
from watcher.lib.secretnames import Kind, kind_of, looks_secret

PEM = "\n".join(f"MIIEowIBAAKCAQEA{number:02d}abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJ" for number in range(24))
LAST = "qYvM3nTz=="
BEGIN, END = "-----BEGIN RSA PRIVATE KEY-----", "-----END RSA PRIVATE KEY-----"
JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9"
R = "[redacted]"

HIDDEN = {
    "bearer header": (f"Authorization: Bearer {JWT}", f"Authorization: Bearer {R}"),
    "short bearer header": ("> authorization: bearer abc", f"> authorization: bearer {R}"),
    "basic header": ("Authorization: Basic YWRtaW46aHVudGVyMg==", f"Authorization: Basic {R}"),
    "digest header": ('Authorization: Digest username="u", response="6629fae4"', f"Authorization: Digest {R}"),
    "token header": ("Authorization: Token 9944b091", f"Authorization: Token {R}"),
    "header of go": (
        f"map[Authorization:[Bearer {JWT}] Accept:[*/*]]",
        f"map[Authorization:[Bearer {R}] Accept:[*/*]]",
    ),
    "header in json": (f'{{"Authorization":"Bearer {JWT}","a":1}}', f'{{"Authorization":"Bearer {R}","a":1}}'),
    "header without a scheme": ("authorization: k3y-9f8e7d6c5b4a", f"authorization: {R}"),
    "bearer in prose": ("sent bearer 8f7d6a5s4d3f2g1h to the API", f"sent bearer {R} to the API"),
    "basic in prose": ("using Basic YWRtaW46aHVudGVyMg== now", f"using Basic {R} now"),
    "cookie": ("Cookie: session=abc; theme=dark", f"Cookie: {R}"),
    "key=value": ("connecting password=hunter2 host=db", f"connecting password={R} host=db"),
    "environment": ("DB_PASSWORD=hunter2\nDB_HOST=db", f"DB_PASSWORD={R}\nDB_HOST=db"),
    "camel case": ("dbPassword=hunter2, retries=3", f"dbPassword={R}, retries=3"),
    "passwd": ("mysql: passwd = s3cr3t!", f"mysql: passwd = {R}"),
    "connection string": (
        "Server=db;User Id=sa;Password=p@ss;Timeout=3",
        f"Server=db;User Id=sa;Password={R};Timeout=3",
    ),
    "arguments": ("login(user=bob, password=abc,retry=3)", f"login(user=bob, password={R},retry=3)"),
    "record of java": ("Config{password=abc}", f"Config{{password={R}}}"),
    "flag": ("exec: app --password hunter2 --verbose", f"exec: app --password {R} --verbose"),
    "flag with equals": ("app --api-key=abc -v", f"app --api-key={R} -v"),
    "flag in quotes": ("app --db-password 'a b' -v", f"app --db-password '{R}' -v"),
    "curl over lines": ("curl\n-u bob:hunter2\nhttp://x", f"curl\n-u bob:{R}\nhttp://x"),
    "curl": ("curl -u bob:hunter2 http://x", f"curl -u bob:{R} http://x"),
    "json": ('{"user":"bob","password":"a \\"b\\" c","n":1}', f'{{"user":"bob","password":"{R}","n":1}}'),
    "json with spaces": ('{ "apiKey" : "abc", "n": 1 }', f'{{ "apiKey" : "{R}", "n": 1 }}'),
    "json in json": ('{\\"token\\":\\"abc\\",\\"n\\":1}', f'{{\\"token\\":\\"{R}\\",\\"n\\":1}}'),
    "json number": ('{"password": 12345, "n": 1}', f'{{"password": {R}, "n": 1}}'),
    "json cut off": ('{"password":"hunter2 and', f'{{"password":"{R}'),
    "dict of python": ("{'client_secret': 'abc', 'n': 1}", f"{{'client_secret': '{R}', 'n': 1}}"),
    "yaml": ("user: bob\npassword: hunter2\nport: 5432", f"user: bob\npassword: {R}\nport: 5432"),
    "yaml in one line": (
        "{user: bob, password: abc, token: abcdef, port: 1}",
        f"{{user: bob, password: {R}, token: {R}, port: 1}}",
    ),
    "yaml list": ("- token: abcdef\n- name: x", f"- token: {R}\n- name: x"),
    "yaml block": ("secret: |\n  line one\n  line two\nname: x", f"secret: {R}\nname: x"),
    "url query": ("GET /x?api_key=abc&page=2 200", f"GET /x?api_key={R}&page=2 200"),
    "signed url": ("PUT https://b.s3/x?X-Amz-Signature=fe5f80&e=1", f"PUT https://b.s3/x?X-Amz-Signature={R}&e=1"),
    "url": ("dial postgres://app:hunter2@db:5432/shop failed", f"dial postgres://app:{R}@db:5432/shop failed"),
    "url without user": ("redis://:hunter2@cache:6379/0", f"redis://:{R}@cache:6379/0"),
    "url with an at sign": ("amqp://u:p@ss@mq/", f"amqp://u:{R}@mq/"),
    "url with a slash": ("amqp://u:pa/ss@mq/", f"amqp://u:{R}@mq/"),
    "url with a token": ("https://0123456789abcdef0123@sentry.io/5", f"https://{R}@sentry.io/5"),
    "password in a sentence": ("Bad login, password: hunter2", f"Bad login, password: {R}"),
    "token in a sentence": ("received token: 8f7d6a5s4d3f for bob", f"received token: {R} for bob"),
    "hex after a word": ("the token 0123456789abcdef0123456789abcdef expired", f"the token {R} expired"),
    "aws id": ("key AKIAIOSFODNN7EXAMPLE is disabled", f"key {R} is disabled"),
    "aws pair": ("AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", R),
    "aws secret": (
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        f"aws_secret_access_key = {R}",
    ),
    "jwt": (f"claims of {JWT} are bad", f"claims of {R} are bad"),
    "jwt cut off": (f"claims of {JWT[:60]}", f"claims of {R}"),
    "docker config": ('"auths":{"r":{"auth":"YWRtaW46aHVudGVyMg=="}}', f'"auths":{{"r":{{"auth":"{R}"}}}}'),
    "slack token": ("using xoxb-123456789012-abcdefABCDEF now", f"using {R} now"),
    "slack webhook": (
        "POST https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX: 404",
        f"POST https://hooks.slack.com/services/{R} 404",
    ),
    "discord webhook": (
        'Post "https://discord.com/api/webhooks/123456/abc-DEF_ghi": EOF',
        f'Post "https://discord.com/api/webhooks/{R}": EOF',
    ),
    "discord webhook of a version": (
        "https://discordapp.com/api/v10/webhooks/1/x y",
        f"https://discordapp.com/api/v10/webhooks/{R} y",
    ),
    "telegram": (f"https://api.telegram.org/bot123456789:{'AAF-x' * 8}/getMe", f"https://api.telegram.org/{R}/getMe"),
    "github": (f"remote: ghp_{'a1B2' * 9} denied", f"remote: {R} denied"),
    "github fine-grained": (f"github_pat_{'a1B2_' * 9} x", f"{R} x"),
    "gitlab": (f"glpat-{'a1B2' * 5} x", f"{R} x"),
    "key block": (f"a\n{BEGIN}\n{PEM}\n{LAST}\n{END}\nb", f"a\n{R}\nb"),
    "key block of pgp": (
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQdGBGX\n-----END PGP PRIVATE KEY BLOCK-----",
        R,
    ),
    "key block in json": (
        f'{{"key":"{BEGIN}\\n{PEM[:64]}\\n{END}\\n","n":1}}'.replace('"key"', '"k"'),
        f'{{"k":"{R}\\n","n":1}}',
    ),
    "key block without its end": (f"a\n{BEGIN}\n{PEM}\n{LAST}", f"a\n{R}"),
    "key block without its end and more": (
        f"{BEGIN}\n{PEM}\nserver started on port 80",
        f"{R}\nserver started on port 80",
    ),
    "key block without its start": (f"{PEM}\n{LAST}\n{END}\nserver started", f"{R}\nserver started"),
    "key block whose last line is full, its head cut off": (f"{PEM}\n{END}\nserver started", f"{R}\nserver started"),
    "key block cut within a line": (f"{PEM[20:]}\n{LAST}\n{END}\nserver started", f"{R}\nserver started"),
    "key block with headers": (
        f"{BEGIN}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0A\n\n{PEM}",
        R,
    ),
    "key block in prefixed lines": (
        "\n".join(f"2026-11-20T10:00:00Z {line}" for line in ["x", BEGIN, *PEM.split("\n"), END, "y"]),
        f"2026-11-20T10:00:00Z x\n2026-11-20T10:00:00Z {R}\n2026-11-20T10:00:00Z y",
    ),
    "two key blocks": (f"{BEGIN}\nabc\n{END}\nmid\n{BEGIN}\ndef\n{END}", f"{R}\nmid\n{R}"),
}


@pytest.mark.parametrize(("text", "expected"), HIDDEN.values(), ids=HIDDEN.keys())
def test_a_secret_is_hidden_and_the_rest_is_kept(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.mark.parametrize("text", [text for text, _ in HIDDEN.values()], ids=HIDDEN.keys())
def test_a_second_time_changes_nothing(text: str) -> None:
    assert redact(redact(text)) == redact(text)


ORDINARY = [
    "2026-11-20T14:02:11.123Z INFO  cache warm-up 81 %",
    "14:02:11 WARN  heap 498 MiB of 512 MiB",
    "panic: runtime error: invalid memory address or nil pointer dereference [signal SIGSEGV: addr=0x0 pc=0x4a1b2c]",
    "Access denied for user 'root'@'10.0.0.1' (using password: YES)",
    'FATAL:  password authentication failed for user "app"',
    "error: invalid token: unexpected end of JSON input",
    "SyntaxError: Unexpected token < in JSON at position 0",
    "Unexpected token: }",
    "failed to refresh token: Post https://issuer/oauth/token: dial tcp 10.0.0.1:443: i/o timeout",
    'MountVolume.SetUp failed for volume "db-secret" : secret "db-secret" not found',
    'Error: secret "db-password" not found',
    "couldn't find key password in Secret shop/db-credentials",
    "Error: couldn't find key api-token in Secret kube-system/registry-credentials-for-the-old-mirror",
    'Back-off pulling image "ghcr.io/org/api-token:1.2.3"',
    'Failed to pull image "reg.example/secret-manager:v2": not found',
    "sha256:2f1cd4f0e8e8c0d9f3a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d7e8",
    "trace_id=4bf92f3577b34da6a3ce929d0e0e4736 span_id=00f067aa0ba902b7",
    "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
    "pod checkout-6d4cf7b9-abcde uid 3f2a1b4c-1111-2222-3333-444455556666",
    "max_tokens=512 total_tokens: 1024 prompt_tokens=12",
    "secretName: db-tls\nsecretKeyRef: {name: db}\nimagePullSecrets: []",
    "tokenizer=bert passwordless=true token_type: bearer password_file=/run/secret",
    "password=${DB_PASSWORD} token=$(TOKEN) secret=null",
    "PWD=/app OLDPWD=/ HOME=/root",
    "pass=12 fail=0 skip=3",
    "chown --user 1000:1000 /data",
    "Basic authentication is disabled; Bearer authentication required",
    "basic configuration loaded",
    "GET http://shop.example:8080/api/v1/users@example.org 200",
    "listening on http://[::1]:8080 and tcp://0.0.0.0:9093",
    "mail to someone@example.org",
    "Authorization: missing header",
    "the key is too long; a secret garden",
    "token: expired, please log in",
    "no bearer token found",
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0BAQUF\n-----END CERTIFICATE-----",
    "could not read the PRIVATE KEY at /etc/tls/tls.key",
    "http://user@host/path",
    "ghost_writer ghs_short xoxo-love sk-frontend-7d9f8",
    "[redacted]",
    "",
]


@pytest.mark.parametrize("line", ORDINARY, ids=[line[:40] or "nothing" for line in ORDINARY])
def test_an_ordinary_line_stays_as_it_is(line: str) -> None:
    assert redact(line) == line


def test_a_mention_of_a_key_block_does_not_swallow_the_log() -> None:
    text = f"{BEGIN} not found in file\nserver started\nready"
    assert redact(text) == f"{R} not found in file\nserver started\nready"


LARGE = {
    "names": "password" * 60_000,
    "open quotes": 'password="' * 15_000,
    "pairs": "password=x " * 12_000,
    "schemes": "a://b:" * 80_000,
    "at signs": "http://a:" + "@" * 500_000,
    "slashes": "http://a:b" + "/" * 500_000,
    "begins": BEGIN * 15_000,
    "ends": END * 15_000,
    "key lines": ("A" * 64 + "\n") * 8_000 + "PRIVATE KEY",
    "spaces": "password" + " " * 500_000,
    "backslashes": 'password=\\"' + "\\" * 500_000,
    "jwt starts": "eyJ" * 150_000,
    "headers": "authorization: " * 10_000,
    "colons": "token: " * 15_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE.keys())
def test_a_huge_hostile_line_is_no_trouble(text: str) -> None:
    assert redact(redact(text)) == redact(text)


PIECES = ["password", "token", "secret", "=", ":", " ", '"', "'", "\\", "\n", "x1y2z3", "[redacted]", "Bearer ", "://"]
PIECES += ["u:", "@", "--", "Authorization", "&", "?", ",", "{", "}", "|\n ", "AKIAIOSFODNN7EXAMPLE", JWT, BEGIN, END]
PIECES += [
    "A" * 40,
    "Basic ",
    "hooks.slack.com/services/",
    "-u ",
    "api_key",
    "é",
    "\ud800",
    "sig",
    "Cookie: ",
    "[",
    "]",
]


SIGNS = sorted({word for signs, needs, *_ in redaction._RULES for word in (*signs, *needs, *redaction._WORDS)})
MADE_OF = [*SIGNS, *PIECES, "://u:p@h ", "sk-ant-" + "a1" * 12, "bot123456:" + "A" * 30, "ghp_" + "a1" * 9, "?", "=x&"]
MADE_OF += [
    "webhooks/1/x",
    ".com/api/",
    "-user",
    "a1B2c3d4e5f6a7b8c9d0a1B2c3d4e5f6",
    "Digest ",
    "\u212a",
    "\u0130",
    "\u017f",
]
CHANGED: list[Callable[[str], str]] = [str, str.upper, str.lower, str.title, str.swapcase]


@st.composite
def hostile(draw: st.DrawFn) -> str:
    pieces = draw(st.lists(st.one_of(st.sampled_from(MADE_OF), st.text(max_size=3)), max_size=14))
    return draw(st.sampled_from(CHANGED))("".join(pieces)) + draw(st.sampled_from(["", "x" * redaction._SHORT]))


def thorough(text: str) -> str:
    """Every pattern over every text."""
    data = redaction._without_key_blocks(text.encode("utf-8", "surrogatepass"))
    for _, _, pattern, replace in redaction._RULES:
        data = pattern.sub(replace, data)
    for pattern in (redaction._FLAG, redaction._NAMED):
        data = redaction._without_named(pattern, data)
    return data.decode("utf-8", "surrogatepass")


@given(hostile())
@settings(max_examples=400)
def test_no_secret_is_missed_for_the_sake_of_speed(text: str) -> None:
    assert redact(text) == thorough(text)


FORMS = [(signs, needs, pattern.pattern) for signs, needs, pattern, _ in redaction._RULES[:-1]]
FORMS += [(redaction._OF_TOKENS, (), pattern.encode()) for pattern in redaction._TOKENS]
FORMS += [(redaction._WORDS, ("--",), redaction._FLAG.pattern), (redaction._WORDS, (), redaction._NAMED.pattern)]
FORMS += [(redaction._WORDS, (), pattern.pattern) for pattern in (redaction._BEGIN, redaction._END)]


@pytest.mark.parametrize(("signs", "needs", "pattern"), FORMS, ids=[str(number) for number in range(len(FORMS))])
@given(data=st.data())
@settings(max_examples=50)
def test_whatever_a_pattern_matches_holds_its_signs(
    signs: tuple[str, ...], needs: tuple[str, ...], pattern: bytes, data: st.DataObject
) -> None:
    lowered = data.draw(st.from_regex(pattern)).lower().decode("latin-1")
    assert any(sign in lowered for sign in signs)
    assert all(need in lowered for need in needs)
    assert redaction._SIGNS.search(lowered)
    assert redaction._SIGNS_OF_LONG.search(lowered.encode())


@pytest.mark.parametrize("space", [" ", "\t"], ids=["space", "tab"])
@pytest.mark.parametrize("word", ["token", "Secret", "PASSWORD", "passwd", "api key", "accesskey"])
def test_what_follows_a_word_in_a_sentence_is_hidden(word: str, space: str) -> None:
    assert redact(f"the {word}{space}{'0123456789abcdef' * 2} is bad") == f"the {word}{space}{R} is bad"


KNOWN = [text for text, _ in HIDDEN.values()] + ORDINARY


@given(st.sampled_from(KNOWN), st.sampled_from(CHANGED), st.data())
@settings(max_examples=400)
def test_no_known_form_is_missed_wherever_it_is_cut(
    text: str, changed: Callable[[str], str], data: st.DataObject
) -> None:
    begin = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(begin, len(text)))
    for part in (text, text[begin:end], changed(text), changed(text)[begin:end]):
        assert redact(part) == thorough(part)


@pytest.mark.parametrize("text", [text for text, _ in HIDDEN.values()], ids=HIDDEN.keys())
def test_a_long_text_is_treated_as_a_short_one(text: str) -> None:
    filled = "x\n" * redaction._SHORT
    assert redact(filled + text) == thorough(filled + text)
    assert R in redact(filled + text)


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_redaction_is_idempotent(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize("length", range(60, 70))
def test_a_character_of_several_bytes_is_not_cut_apart(length: int) -> None:
    for rune in "é€😀":
        assert redact(f"a{rune}{'b' * length}{END}") in (f"a{rune}{'b' * (length - 64)}{R}", f"a{R}", R)


@given(st.text(alphabet=st.characters(exclude_categories=[])))
def test_any_text_is_taken(text: str) -> None:
    assert isinstance(redact(text), str)


@pytest.mark.parametrize("secret", ["hunter2", "correct-horse-9", "p@ss/w0rd+=", "ünïcödé1"])
@pytest.mark.parametrize(
    "form",
    ["PASSWORD={}", '"password": "{}"', "password: {}", "?token={}&a=b", "--secret {}", '\\"apiKey\\": \\"{}\\"'],
)
def test_no_form_lets_a_secret_through(form: str, secret: str) -> None:
    assert secret not in redact("before " + form.format(secret) + "\nafter")


NAMES = [
    ("password", Kind.PASSWORD),
    ("PGPASSWORD", Kind.PASSWORD),
    ("smtp_pass", Kind.PASSWORD),
    ("X-Api-Key", Kind.TOKEN),
    ("secret_key_base64", Kind.TOKEN),
    ("AccountKey", Kind.TOKEN),
    ("token2", Kind.TOKEN),
    ("secretName", None),
    ("token_type", None),
    ("primary_key", None),
    ("bypass", None),
    ("compass", None),
    ("tokenizer", None),
    ("password_file", None),
]


@pytest.mark.parametrize(("name", "kind"), NAMES, ids=[name for name, _ in NAMES])
def test_a_name_tells_what_stands_under_it(name: str, kind: Kind | None) -> None:
    assert kind_of(name) is kind


def test_a_random_word_is_told_from_a_name() -> None:
    assert all(map(looks_secret, ["8f7d6a5s4d3f", "3f2a1b4c-1111-2222-3333-444455556666", "p@ssword!", "A" * 30]))
    assert not any(map(looks_secret, ["expired", "1.2.3", "db-credentials-v2", "/var/run", "12345678", "x1"]))
