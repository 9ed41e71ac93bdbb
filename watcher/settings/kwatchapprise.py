"""kwatch's providers that Watcher sends to through Apprise: from their options to the URL that Apprise reads.

Each form was tried with the Apprise that is pinned; `form` is what people write where a secret is not in the file.
Secrets are encoded for URLs, so that a slash in one does not end it. One URL has one target: more are more entries.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final
from urllib.parse import SplitResult, parse_qs, quote, urlencode

import msgspec

from watcher.settings.kwatchoptions import Missing, NoCounterpart, NotHere, Options

Build = Callable[[Options], list[str]]

_PART: Final = re.compile(r"\{(\w+)(@?)\}")
_TARGET: Final = re.compile(r"\{(\w+)\*\}")


class Service(msgspec.Struct, frozen=True):
    """How Apprise writes it, and what else kwatch lets one say that has no counterpart."""

    form: str
    build: Build
    options: tuple[str, ...]
    unused: tuple[str, ...] = ()


def _by(template: str, **query: str) -> Build:
    """`twilio://{accountSid}:{authToken}@{from}/{to*}`: required options, `{from@}` a mail address that keeps its @; of
    `to` an entry each. `query`: optional."""

    def build(options: Options) -> list[str]:
        base = _PART.sub(lambda match: options.address(match[1]) if match[2] else options.part(match[1]), template)
        words = {name: options.text(key).lower() for name, key in query.items() if options.has(key)}
        tail = f"?{urlencode(words)}" if words else ""
        if (target := _TARGET.search(base)) is None:
            return [base + tail]
        if not (targets := options.words(target[1])):
            raise Missing(target[1])
        if any("${" in each for each in targets):
            raise NotHere(target[1])
        return [_TARGET.sub(quote(each, safe="+@"), base) + tail for each in targets]

    return build


def _at(server: SplitResult, plain: str, path: str = "") -> str:
    """`gotifys://host:8443/path` for https://host:8443/path."""
    schema = f"{plain}s" if server.scheme == "https" else plain
    return f"{schema}://{server.netloc}{path or server.path.rstrip('/')}"


def _last(server: SplitResult, marker: str, count: int = 1) -> tuple[str, list[str]]:
    """The path before `marker`, and the parts behind it."""
    before, found, after = server.path.partition(marker)
    parts = [part for part in after.split("/") if part]
    if not found or len(parts) != count:
        raise NoCounterpart("this is no address of an incoming webhook")
    return before.rstrip("/"), parts


def _mattermost(options: Options) -> list[str]:
    server = options.server("webhook")
    before, (token,) = _last(server, "/hooks/")
    return [f"{_at(server, 'mmost', before or '/').rstrip('/')}/{token}"]


def _rocketchat(options: Options) -> list[str]:
    server = options.server("webhook")
    _, (user, token) = _last(server, "/hooks/", 2)
    schema = "rockets" if server.scheme == "https" else "rocket"
    return [f"{schema}://{user}/{token}@{server.netloc}"]


def _feishu(options: Options) -> list[str]:
    if options.has("secret"):
        raise NoCounterpart("Apprise cannot sign for a bot with signature verification: turn that off for this bot")
    server = options.server("webhook")
    _, (token,) = _last(server, "/bot/v2/hook/")
    return [f"{'lark' if 'larksuite' in server.netloc else 'feishu'}://{token}"]


def _googlechat(options: Options) -> list[str]:
    server = options.server("webhook")
    query = parse_qs(server.query)
    _, parts = _last(server, "/v1/spaces/", 2)
    if not query.get("key") or not query.get("token"):
        raise NoCounterpart("this is no address of an incoming webhook")
    return [f"gchat://{parts[0]}/{quote(query['key'][0], safe='')}/{quote(query['token'][0], safe='')}"]


def _wecom(options: Options) -> list[str]:
    key = parse_qs(options.server("webhook").query).get("key")
    if not key:
        raise NoCounterpart("this is no address of a group robot")
    return [f"wecombot://{quote(key[0], safe='')}"]


def _flock(options: Options) -> list[str]:
    _, (token,) = _last(options.server("webhook"), "/hooks/sendMessage/")
    return [f"flock://{token}"]


def _matrix(options: Options) -> list[str]:
    key = "homeServer" if options.has("homeServer") else "serverurl"
    server = options.server(key)
    schema = "matrixs" if server.scheme == "https" else "matrix"
    room, token = options.part("internalRoomId"), options.part("accessToken")
    return [f"{schema}://{token}@{server.netloc}/{room}?discovery=no"]


def _dingtalk(options: Options) -> list[str]:
    token = options.part("accessToken")
    return [f"dingtalk://{options.part('secret')}@{token}/" if options.has("secret") else f"dingtalk://{token}/"]


def _gotify(options: Options) -> list[str]:
    tail = f"?priority={options.part('priority')}" if options.has("priority") else ""
    return [f"{_at(options.server('url'), 'gotify')}/{options.part('token')}{tail}"]


def _ntfy(options: Options) -> list[str]:
    words = {"priority": options.text("priority") or "4"}
    if options.has("token"):
        words = {"auth": "token", **words}
    server = options.server("url", "https://ntfy.sh")
    schema = "ntfys" if server.scheme == "https" else "ntfy"
    user = f"{options.part('token')}@" if options.has("token") else ""
    return [f"{schema}://{user}{server.netloc}/{options.part('topic')}?{urlencode(words)}"]


def _webex(options: Options) -> list[str]:
    key = "roomId" if options.has("roomId") else "toPersonEmail"
    return [f"wxteams://{options.part('accessToken')}/{options.part(key, safe='@')}?mode=bot"]


def _github(options: Options) -> list[str]:
    if options.has("url"):
        raise NoCounterpart("Apprise opens issues at github.com only: a webhook of your own can do it elsewhere")
    return _by("github://{token}@{owner}/{repo}")(options)


def _zulip(options: Options) -> list[str]:
    """The bot's address is `NAME-bot@ORGANISATION.zulipchat.com`, of which Apprise wants name and organisation."""
    name, _, host = options.need("email").partition("@")
    organisation = host.removesuffix(".zulipchat.com")
    if not name.endswith("-bot") or organisation == host or host != options.server("url").hostname:
        raise NoCounterpart("Apprise speaks to zulipchat.com only, as a bot whose address begins with NAME-bot@")
    bot = name.removesuffix("-bot")
    return [f"zulip://{bot}@{organisation}/{options.part('token')}/{options.part('channel')}"]


def _homeassistant(options: Options) -> list[str]:
    server = options.server("url", "http://localhost:8123")
    service = quote(options.text("service") or "notify", safe="")
    prefix = f"&prefix={quote(server.path.rstrip('/'), safe='')}" if server.path.rstrip("/") else ""
    return [f"{_at(server, 'hassio', '/')}notify.{service}?token={options.part('token')}{prefix}"]


def _signal(options: Options) -> list[str]:
    server = _at(options.server("url", "http://localhost:8080"), "signal")
    return _by(f"{server}/{{number}}/{{to*}}")(options)


def _incidentio(options: Options) -> list[str]:
    _, (source,) = _last(options.server("url"), "/v2/alert_events/http/")
    return [f"incidentio://{source}/{options.part('apiKey')}"]


def _goalert(options: Options) -> list[str]:
    return [f"{_at(options.server('url'), 'goalert')}/{options.part('token')}"]


def _mailgun(options: Options) -> list[str]:
    name, _, host = options.need("from").rpartition("@")
    if host.rstrip(">") != options.need("domain") or "<" in name:
        raise NoCounterpart("Apprise sends from an address of the sending domain, without a name")
    region = "?region=eu" if "api.eu." in options.text("url") else ""
    return [f"{url}{region}" for url in _by(f"mailgun://{quote(name)}@{{domain}}/{{apiKey}}/{{to*}}")(options)]


def _sns(options: Options) -> list[str]:
    if options.has("sessionToken") or not options.has("topicArn"):
        raise NoCounterpart("Apprise sends to topics, with keys that last")
    *_, region, _account, topic = options.need("topicArn").split(":")
    keys = f"{options.part('accessKeyId')}/{options.part('secretAccessKey')}"
    return [f"sns://{keys}/{region}/{quote('#' + topic, safe='')}"]


def _ses(options: Options) -> list[str]:
    if options.has("sessionToken"):
        raise NoCounterpart("Apprise needs keys that last")
    region = options.text("region") or "us-east-1"
    return _by(f"ses://{{from@}}/{{accessKeyId}}/{{secretAccessKey}}/{region}/{{to*}}")(options)


def _pushover(options: Options) -> list[str]:
    urls = _by("pover://{user}@{token}", priority="priority", interval="retry", expire="expire")(options)
    return [url if "priority=2" in url else re.sub(r"&?(interval|expire)=\d+", "", url) for url in urls]


def _ifttt(options: Options) -> list[str]:
    event = quote(options.text("event") or "kwatch", safe="")
    return [f"ifttt://{options.part('key')}@{event}"]


def _s(form: str, build: Build, options: str, unused: str = "") -> Service:
    return Service(form, build, tuple(options.split()), tuple(unused.split()))


SERVICES: Final[dict[str, Service]] = {
    "rocketchat": _s("rockets://TOKEN_A/TOKEN_B@HOST", _rocketchat, "webhook", "text"),
    "mattermost": _s("mmosts://HOST/TOKEN", _mattermost, "webhook", "title text"),
    "opsgenie": _s("opsgenie://API_KEY", _by("opsgenie://{apiKey}", region="region"), "apiKey region", "title text"),
    "matrix": _s(
        "matrixs://ACCESS_TOKEN@HOST/ROOM_ID", _matrix, "homeServer serverurl accessToken internalRoomId", "title text"
    ),
    "dingtalk": _s("dingtalk://SECRET@ACCESS_TOKEN/", _dingtalk, "accessToken secret", "title"),
    "feishu": _s("feishu://TOKEN", _feishu, "webhook secret", "title"),
    "googlechat": _s("gchat://SPACE/KEY/TOKEN", _googlechat, "webhook", "text"),
    "gotify": _s("gotifys://HOST/TOKEN", _gotify, "url token priority", "title"),
    "ntfy": _s("ntfys://TOKEN@HOST/TOPIC", _ntfy, "topic url token priority", "title"),
    "pushover": _s("pover://USER_KEY@TOKEN", _pushover, "token user priority retry expire", "title"),
    "webex": _s("wxteams://TOKEN/ROOM_ID", _webex, "accessToken roomId toPersonEmail"),
    "github": _s("github://TOKEN@OWNER/REPO", _github, "token owner repo url"),
    "ifttt": _s("ifttt://KEY@EVENT", _ifttt, "key event"),
    "zulip": _s("zulip://BOT@ORGANISATION/TOKEN/CHANNEL", _zulip, "email token channel url", "title"),
    "homeassistant": _s("hassios://HOST/notify.notify?token=TOKEN", _homeassistant, "token url service"),
    "ilert": _s("ilert://KEY", _by("ilert://{integrationKey}", priority="priority"), "integrationKey priority"),
    "incidentio": _s("incidentio://SOURCE/TOKEN", _incidentio, "url apiKey"),
    "squadcast": _s("squadcast://KEY", _by("squadcast://{serviceKey}"), "serviceKey"),
    "signl4": _s("signl4://SECRET", _by("signl4://{teamSecret}"), "teamSecret", "title user url"),
    "twilio": _s(
        "twilio://SID:TOKEN@FROM/TO",
        _by("twilio://{accountSid}:{authToken}@{from}/{to*}"),
        "accountSid authToken from to",
    ),
    "vonage": _s(
        "vonage://KEY:SECRET@FROM/TO", _by("vonage://{apiKey}:{apiSecret}@{from}/{to*}"), "apiKey apiSecret from to"
    ),
    "plivo": _s(
        "plivo://AUTH_ID@TOKEN/FROM/TO", _by("plivo://{authId}@{authToken}/{from}/{to*}"), "authId authToken from to"
    ),
    "messagebird": _s("msgbird://KEY/FROM/TO", _by("msgbird://{accessKey}/{from}/{to*}"), "accessKey from to"),
    "signal": _s("signals://HOST/FROM/TO", _signal, "number to url"),
    "sendgrid": _s("sendgrid://KEY:FROM/TO", _by("sendgrid://{apiKey}:{from@}/{to*}"), "apiKey from to", "subject"),
    "ses": _s(
        "ses://FROM/KEY_ID/SECRET/REGION/TO", _ses, "accessKeyId secretAccessKey sessionToken region from to", "subject"
    ),
    "sns": _s(
        "sns://KEY_ID/SECRET/REGION/TOPIC",
        _sns,
        "accessKeyId secretAccessKey sessionToken topicArn targetArn",
        "subject region",
    ),
    "wecom": _s("wecombot://KEY", _wecom, "webhook"),
    "splunkoncall": _s(
        "splunk://ROUTING_KEY@API_KEY", _by("splunk://{routingKey}@{apiKey}"), "apiKey routingKey", "url"
    ),
    "mailgun": _s("mailgun://USER@DOMAIN/KEY/TO", _mailgun, "apiKey domain from to url", "subject"),
    "resend": _s("resend://KEY:FROM/TO", _by("resend://{apiKey}:{from@}/{to*}"), "apiKey from to", "subject"),
    "goalert": _s("goalerts://HOST/TOKEN", _goalert, "url token", "serviceId"),
    "threema": _s("threema://GATEWAY_ID@SECRET/TO", _by("threema://{gatewayId}@{secret}/{to*}"), "gatewayId secret to"),
    "flock": _s("flock://TOKEN", _flock, "webhook"),
    "pushbullet": _s("pbul://TOKEN", _by("pbul://{accessToken}"), "accessToken"),
}
