"""Hosts that are no public servers, in every notation that some client takes for an address.

The IP addresses are of RFC 6890 and the registries of IANA after it; the other notations those of
`inet_aton`, of the URL standard's host parser, and of IDNA.
"""

import socket
from ipaddress import ip_address
from pathlib import Path

_LOOPBACK_4 = (
    *("127.0.0.1", "127.0.0.2", "127.127.127.127", "127.255.255.254", "0.0.0.0", "0.0.0.1"),
    *("127.1", "127.0.1", "0", "00000000", "0x0", "2130706433", "0x7f000001", "0X7F000001"),
    *("0x7f.0.0.1", "0x7f.1", "0x7f.0x0.0x0.0x1", "0177.0.0.1", "0177.1", "017700000001"),
    *("127.000.000.001", "127.0.0.01", "127.00.0x0.1", "4294967295", "127.0.0.1.", "127.1."),
    *("127.0.0.1..", ".127.0.0.1", "127。0。0。1", "127｡0｡0｡1", "127．0．0．1"),
    *("１２７.０.０.１", "①②⑦.⓪.⓪.①", "𝟏𝟐𝟕.𝟎.𝟎.𝟏", "¹²⁷.₀.₀.₁", "①27.0.0.1", "①②⑦。①"),
    *("١٢٧.٠.٠.١", "127\u00ad.0.0.1", "127.0.0.1\u200b", "127%2e0%2e0%2e1", "%31%32%37.0.0.1"),
    *("127.0.0.1%00", "127.0.0.1%23", "127.0.0.1%2f.example", "0x7f。1", "[127.0.0.1]"),
)
_LOOPBACK_6 = (
    *("[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[0000::0001]", "[::0.0.0.1]", "[::1%25lo]"),
    *("[::1%lo]", "[::1%251]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::FFFF:7F00:0001]"),
    *("[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[::7f00:1]", "[::ffff:0:127.0.0.1]"),
    *("[64:ff9b::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]"),
    *("[2002:7f00:1::1]", "[2001:0:7f00:1::]", "[2001:0:4136:e378:8000:63bf:80ff:fffe]"),
    *("[::ffff:0.0.0.0]", "[::ffff:127.1]", "[::1", "::1", "[::1]]", "[v1.::1]", "[]"),
)
_PRIVATE = (
    *("10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.254", "192.168.0.1", "192.168.1.1"),
    *("100.64.0.1", "100.100.100.200", "100.127.255.254", "0xa.0.0.1", "167772161", "012.0.0.1"),
    *("[::ffff:10.0.0.1]", "[64:ff9b::a00:1]", "[2002:a00:1::1]", "[2002:c0a8:1::]"),
    *("[fc00::1]", "[fd00::1]", "[fd00:ec2::254]", "[fec0::1]"),
)
_LINK_LOCAL = (
    *("169.254.169.254", "169.254.170.2", "169.254.1.1", "2852039166", "0xa9fea9fe"),
    *("0251.0376.0251.0376", "169.254.43518", "[::ffff:169.254.169.254]", "[::ffff:a9fe:a9fe]"),
    *("[64:ff9b::a9fe:a9fe]", "[2002:a9fe:a9fe::]", "[fe80::1]", "[fe80::1%25eth0]", "[fe80::1%1]"),
)
_OTHERS = (
    *("192.0.0.1", "192.0.0.192", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.1", "203.0.113.1", "168.63.129.16", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "[ff01::1]", "[ff02::1]", "[ff05::1:3]", "[100::1]"),
    *("[2001:db8::1]", "[2001:10::1]", "[3fff::1]", "[4000::1]", "[5f00::1]"),
)
_NAMES = (
    *("localhost", "LOCALHOST", "LocalHost", "localhost.", "localhost.localdomain", "localhost6"),
    *("ip6-localhost", "ip6-loopback", "wms.localhost", "ⓛocalhost", "ｌｏｃａｌｈｏｓｔ"),
    *(
        "loc\u00adalhost",
        "localhost。",
        "localhost%00",
        "local%68ost",
        "K-localhost",
        "x..localhost",
    ),
    *("-localhost", "localhost-", "_gateway", "broadcasthost", "kubernetes.default.svc"),
)


def own_addresses() -> list[str]:
    """Return the addresses of this machine that others reach it by, without those of the link."""
    found = {entry[4][0] for entry in socket.getaddrinfo(socket.gethostname(), None)}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # sends nothing
            found.add(probe.getsockname()[0])
        except OSError:
            pass
    interfaces = Path("/proc/net/if_inet6")
    lines = interfaces.read_text().splitlines() if interfaces.exists() else []
    found.update(socket.inet_ntop(socket.AF_INET6, bytes.fromhex(line[:32])) for line in lines)
    addresses = [ip_address(str(text)) for text in sorted(map(str, found)) if "%" not in str(text)]
    return [str(a) for a in addresses if not (a.is_loopback or a.is_link_local or a.is_global)]


def inner_hosts() -> list[str]:
    """Return all of them, as they are written in a URL, and those of this machine."""
    own = [f"[{address}]" if ":" in address else address for address in own_addresses()]
    names = (socket.gethostname(), f"{socket.gethostname()}.", *own)
    return [*_LOOPBACK_4, *_LOOPBACK_6, *_PRIVATE, *_LINK_LOCAL, *_OTHERS, *_NAMES, *names]
