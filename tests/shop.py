"""A merchant's shop in a browser: its page with PortOne's script, its buyer, and the addresses it stands at."""

import json
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web
from starlette.responses import PlainTextResponse

BUYER = {"buyer_name": "Hong Gil", "buyer_tel": "01012345678", "buyer_email": "gil@example.com", "customer_id": "hong"}
PAGE = """<!doctype html><html lang="ko"><meta charset="utf-8"><title>shop</title>
<button id="pay">결제</button><div class="portone-ui-container" data-portone-ui-type="paypal-rt"></div>
<script src="%(script)s"></script>
<script>
const IMP = window.IMP;
IMP.init("imp00000000");
function told(rsp) {
  const call = new XMLHttpRequest();
  call.open("POST", "/told", false);
  call.send(JSON.stringify(rsp));
}
document.getElementById("pay").addEventListener("click", () => IMP.request_pay(window.param, told));
</script>"""


class Shop:
    """A merchant's site on an origin of its own: one page, what its callback heard, where buyers came back to."""

    def __init__(self, browser, emulator_app, emulator_url, url):
        self.browser, self.account, self.emulator = browser, emulator_app.state.account, emulator_url
        self.url, self.script = url, f"{emulator_url}/v1/iamport.js"
        self.heard, self.order = [], []

    async def page(self, _request):
        return web.Response(text=PAGE % {"script": self.script}, content_type="text/html")

    async def told(self, request):
        self.heard.append(json.loads(await request.text()))
        self.order.append("callback")
        return web.Response()

    async def back(self, _request):
        self.order.append("redirect")
        return web.Response(text="<title>back</title>", content_type="text/html")

    async def hook(self, request):
        self.order.append(f"webhook {(await request.json())['status']}")
        return web.Response()

    def param(self, **more):
        return {
            "pg": "html5_inicis", "pay_method": "card", "merchant_uid": "order-1", "name": "월간 이용권",
            "amount": 9900, "customer_uid": "kim", "notice_url": f"{self.url}/hook", **BUYER, **more,
        }  # fmt: skip

    async def press(self, *, phone=False, **param):
        """The buyer presses the page's button."""
        await self.browser.visit(self.url, phone=phone)
        await self.browser.run("window.param = arguments[0]", self.param(**param))
        await self.browser.click("#pay")

    async def layer(self, button, **param):
        """In the layer over the page the buyer presses a button; answers what the callback is given."""
        before = len(self.heard)
        await self.press(**param)
        await self.browser.enter_frame()
        await self.browser.click(button)
        await self.browser.leave_frame()
        return await self.hears(before)

    async def hears(self, before=0):
        await self.browser.until(lambda _driver: len(self.heard) > before)
        return self.heard[before]

    async def come_back(self):
        """The query with which the buyer came back."""
        await self.browser.until(lambda driver: driver.title == "back")
        url = await self.browser.do(lambda driver: driver.current_url)
        return dict(parse_qsl(urlsplit(url).query))

    async def hooks(self, count):
        """The webhooks, as soon as there are so many."""
        await self.browser.until(lambda _driver: sum(one.startswith("webhook") for one in self.order) >= count)
        return self.order

    def payment(self, imp_uid):
        return self.account.world.store["payments"][imp_uid]

    def key(self, customer_uid="kim"):
        return self.account.world.store["keys"].get(customer_uid)


class Stage:
    """One address for every emulator and one for every shop: a browser may still connect when its test has ended."""

    def __init__(self):
        self.app, self.shop, self.emulator, self.site = nobody, None, "", ""

    async def __call__(self, scope, receive, send):
        if scope["type"] != "lifespan":
            await self.app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})

    async def shops(self, request):
        """The merchant's site, whichever it is now."""
        pages = {"/": "page", "/told": "told", "/back": "back", "/hook": "hook"}
        if request.path not in pages:
            return web.Response(status=404)
        return await getattr(self.shop, pages[request.path])(request)


async def nobody(scope, receive, send):
    await PlainTextResponse("", 404)(scope, receive, send)
