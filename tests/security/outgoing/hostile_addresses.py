"""Addresses that somebody sends to the server so that it asks what it must not."""

from collections.abc import Iterator

from tests.security.outgoing.inner_hosts import inner_hosts
from tests.security.outgoing.names import NAMES, PUBLIC_NAME, REBINDING

STATUSES = (301, 302, 303, 307, 308)
_SCHEMES = (
    *("file:///etc/passwd", "file://localhost/etc/passwd", "FILE:/etc/passwd", "/etc/passwd"),
    *("../../../../etc/passwd", "ftp://{inner}/", "ftps://{inner}/", "sftp://{inner}/"),
    *("tftp://{inner}/x", "gopher://{inner}/_GET%20/", "dict://{inner}/info", "ldap://{inner}/"),
    *("ws://{inner}/", "redis://{inner}/0", "s3://bucket/key", "gs://bucket/key", "unix:///run/x"),
    *("http+unix://%2Frun%2Fx/", "jar:http://{inner}!/x", "data:text/xml,<WMS_Capabilities/>"),
    *("data:image/tiff;base64,SUkqAA==", "javascript:alert(1)", "view-source:http://{inner}/"),
    *("//{inner}/", "///{inner}/", "{inner}", "http:{inner}", "http:/{inner}", "http:///{inner}/"),
    *("http://", "http://:{port}/", "http:////{inner}/", "https+http://{inner}/", "ht\ttp://x/"),
    *("vrt://http://{inner}/a.tif", "vrt:///etc/passwd", "/vsicurl/http://{inner}/a.tif"),
    *("/vsicurl?url=http://{inner}/a.tif", "/vsicurl_streaming/http://{inner}/a.tif"),
    *("/vsizip//vsicurl/http://{inner}/a.zip", "/vsizip/vsicurl/http://{inner}/a.zip/a.tif"),
    *("/vsigzip//vsicurl/http://{inner}/a.gz", "/vsitar//vsicurl/http://{inner}/a.tar"),
    *("/vsi7z//etc/passwd", "/vsis3/bucket/key", "/vsigs/bucket/key", "/vsiaz/bucket/key"),
    *("/vsiwebhdfs/http://{inner}/webhdfs/v1/", "/vsihdfs/hdfs://{inner}/a", "/vsimem/a.tif"),
    *("/vsistdin/", "/vsisubfile/0_100,/etc/passwd", "/vsisparse//etc/passwd", "/vsicached?file=x"),
    *('NETCDF:"http://{inner}/a.nc":x', "NETCDF:/vsicurl/http://{inner}/a.nc:x", "HDF5:/a.h5://x"),
    *("WMTS:http://{inner}/wmts.xml", "WMS:http://{inner}/?", "WCS:http://{inner}/?", "TMS:x"),
    *("GTIFF_DIR:1:http://{inner}/a.tif", "GTIFF_RAW:http://{inner}/a.tif", "COG:/etc/passwd"),
    *("STACIT:http://{inner}/a.json", "STACTA:http://{inner}/a.json", "ZARR:http://{inner}/a"),
    *('ZARR:"/vsicurl/http://{inner}/a"', "DERIVED_SUBDATASET:LOGAMPLITUDE:/etc/passwd"),
    *("PG:host={host} port={port}", "MySQL:x,host={host}", "HTTP:http://{inner}/", "OGCAPI:x"),
    "<VRTDataset rasterXSize='1' rasterYSize='1'><SourceFilename>/vsicurl/http://{inner}/a.tif"
    "</SourceFilename></VRTDataset>",
    "<GDAL_WMS><Service name='TMS'><ServerUrl>http://{inner}/</ServerUrl></Service></GDAL_WMS>",
)
_AUTHORITIES = (
    *("http://user:word@{inner}/", "http://user@{inner}/", "http://:@{inner}/", "http://@{inner}/"),
    *("http://{public}@{inner}/", "http://{public}:80@{inner}/", "http://{public}%40{inner}/"),
    *("http://{inner}@{public}/", "http://{public}\\@{inner}/", "http://{public}\\.{inner}/"),
    *("http:\\\\{inner}\\", "\\\\{host}\\share", "http://{public}#@{inner}/"),
    *("http://{public}?@{inner}/", "http://{public}/@{inner}/", "http://{public};@{inner}/"),
    *("http://{public}&@{inner}/", "http://{public},{inner}/", "http://{public}%00.{inner}/"),
    *("http://{public}％２F@{inner}/", "http://{public}／@{inner}/", "http://{public}＠{inner}/"),
    *("http://{public}：80@{inner}/", "http://{public}＃@{inner}/", "http://{public}℀@{inner}/"),
)
_CONTROL_CHARACTERS = (
    *("\thttp://{inner}/", "http://\t{inner}/", "http://{host}\t:{port}/", "http://{inner}/\t"),
    *("\nhttp://{inner}/", "http://{host}\n:{port}/", " http://{inner}/", "http:// {inner}/"),
    *("http://{inner} /", "\x00http://{inner}/", "http://{host}\x00.example/", "\x01http://x/"),
    *("http://{public}/\r\nHost: {inner}\r\n\r\nGET / HTTP/1.1", "http://{public}\r\n.{inner}/"),
    *("http://{public}/%0d%0aX-Injected: yes", "http://{public}/?a=%0d%0aX-Injected:%20yes"),
    *("http://{public}/\u560d\u560aX-Injected:yes", "http://{public}/\x85X-Injected:yes"),
    *("http://{public}/\u2028X-Injected:yes", "http://{public}/ HTTP/1.1\r\nX-Injected: yes"),
)
_PORTS = (
    "0",
    "1",
    "21",
    "22",
    "25",
    "389",
    "2375",
    "3306",
    "5432",
    "6379",
    "9200",
    "11211",
    "27017",
)
_NO_PORTS = ("65536", "99999999", "-1", "+80", "0x50", "8o", "80,443", "", "８０")
_REDIRECTED_TO = (
    *("http://{inner}/", "http://localhost:{port}/", "//{inner}/", "http://[::1]:{port}/"),
    *("http://2130706433:{port}/", "http://[::ffff:127.0.0.1]:{port}/", "http://127.1:{port}/"),
    *(
        "http://169.254.169.254/latest/meta-data/",
        "http://user:word@{inner}/",
        "file:///etc/passwd",
    ),
    *("gopher://{inner}/_x", "/vsicurl/http://{inner}/", "http://loopback.example:{port}/"),
    *("http://{public}:22/", "http://{public}\\@{inner}/", "\thttp://{inner}/", "https://{inner}/"),
)


def hostile_addresses(port: int, public: str = "") -> list[str]:
    """Return them, aimed at this port of this machine: by number, by name, by a redirect.

    `public` is the server that redirects, the one that PUBLIC_NAME has at this port if it is left
    out.
    """
    public = public or f"{PUBLIC_NAME}:{port}"
    places = {
        "host": "127.0.0.1",
        "inner": f"127.0.0.1:{port}",
        "public": public,
        "port": str(port),
    }
    direct = [_filled(template, places) for template in _templates()]
    targets = [_filled(template, places) for template in _REDIRECTED_TO]
    redirects = [_redirect(public, s, target) for s in STATUSES for target in targets]
    chain = _redirect(public, 301, _redirect(public, 307, f"http://127.0.0.1:{port}/"))
    return list(dict.fromkeys([*direct, *redirects, chain, _redirect(public, 302, chain)]))


def _templates() -> Iterator[str]:
    for host in inner_hosts():
        yield f"http://{host}:{{port}}/wms"
    for host in ("127.0.0.1", "[::1]", "localhost", "169.254.169.254"):
        for port in ("", ":80", ":443", ":8080", ":8443"):
            yield f"http://{host}{port}/"
            yield f"https://{host}{port}/"
    for name in (*NAMES, *REBINDING):
        yield f"http://{name}:{{port}}/wms?map=x"
    for name in NAMES:
        yield f"https://{name}:{{port}}/"
    for port in (*_PORTS, *_NO_PORTS):
        yield f"http://127.0.0.1:{port}/"
    yield from (*_SCHEMES, *_AUTHORITIES, *_CONTROL_CHARACTERS)


def _filled(template: str, places: dict[str, str]) -> str:
    for name, place in places.items():
        template = template.replace(f"{{{name}}}", place)
    return template


def _redirect(public: str, status: int, target: str) -> str:
    """Return the address of the public server that redirects to this target."""
    return f"http://{public}/redirect/{status}/{target.encode().hex()}"
