// PortOne's V1 SDK as this emulator serves it: point a page's script tag here, and nothing else changes.
// Everything is decided by the emulator; this script opens its window, and gives the page what came of it.
(function () {
  "use strict";

  const script = document.currentScript || [...document.scripts].find((one) => one.src.includes("iamport"));
  const base = new URL("../", script.src);
  const classic = /\/js\/iamport\.payment/.test(script.src);
  const mobile = /Android|iPhone|iPad|iPod|Mobile/i.test(navigator.userAgent);
  const POPUP = "popup,width=480,height=760";
  const LOOK_MILLISECONDS = 300;

  let userCode = null;
  const open = new Map(); // The windows that are open, by imp_uid.
  const buttons = new Map(); // What IMP.loadUI was asked for, by type of button.

  function ask(path, body) {
    // Text needs no preflight: the page's origin is another one.
    return fetch(new URL(path, base), { method: "POST", headers: { "Content-Type": "text/plain" }, body: JSON.stringify(body) })
      .then((answer) => answer.json());
  }

  function tell(callback, result) {
    if (typeof callback === "function") callback(result);
  }

  function failed(param, message) {
    return { success: false, error_code: "F400", error_msg: message, imp_uid: null, merchant_uid: param.merchant_uid };
  }

  function absolute(address) {
    try { return new URL(address, location.href).href; } catch { return address; }
  }

  function request(param, callback, ui) {
    const asked = { ...param };
    if (asked.m_redirect_url) asked.m_redirect_url = absolute(asked.m_redirect_url);
    // Browsers open popups only while the buyer's click is being handled.
    const popup = asked.popup || asked.naverPopupMode || ui ? window.open("", "_blank", POPUP) : null;
    ask("emulator/window", { user_code: userCode, param: asked, ui, mobile, classic, origin: location.origin })
      .then((answer) => {
        if (answer.imp_uid && !answer.redirects) { show(answer.imp_uid, popup, callback); return; }
        popup?.close();
        if (answer.redirects) location.assign(new URL(`emulator/window/${answer.imp_uid}`, base));
        else tell(callback, answer.refused || failed(asked, answer.message));
      }, (error) => {
        popup?.close();
        tell(callback, failed(asked, String(error)));
      });
  }

  function show(impUid, popup, callback) {
    const address = new URL(`emulator/window/${impUid}`, base).href;
    if (popup && !popup.closed) {
      popup.location.replace(address);
      const timer = setInterval(() => popup.closed && ask(`emulator/window/${impUid}/close`, {})
        .then((answer) => finish(impUid, answer.result)), LOOK_MILLISECONDS);
      open.set(impUid, { callback, view: () => popup, remove: () => { clearInterval(timer); popup.close(); } });
      return;
    }
    const frame = document.createElement("iframe");
    frame.src = address;
    frame.title = "PortOne";
    frame.style.cssText = "position:fixed;inset:0;width:100%;height:100%;border:0;z-index:2147483647;background:transparent;color-scheme:light";
    document.body.append(frame);
    open.set(impUid, { callback, view: () => frame.contentWindow, remove: () => frame.remove() });
  }

  function finish(impUid, result) {
    const ended = open.get(impUid);
    if (!ended || !result) return;
    open.delete(impUid);
    ended.remove();
    try {
      tell(ended.callback, result);
    } finally {
      // A webhook may wait for this: the page has been told.
      navigator.sendBeacon(new URL(`emulator/window/${impUid}/told`, base));
    }
  }

  window.addEventListener("message", (event) => {
    const told = event.data && open.get(event.data.imp_uid);
    if (told && event.origin === base.origin && event.source === told.view()) finish(event.data.imp_uid, event.data.result);
  });

  function draw() {
    for (const [type, button] of buttons) {
      for (const place of document.querySelectorAll(`.portone-ui-container[data-portone-ui-type="${type}"]`)) {
        if (place.shadowRoot) continue;
        // In a shadow root, so that neither the page's styles nor its own children are touched.
        const style = document.createElement("style"), pressed = document.createElement("button");
        style.textContent = "button{width:100%;min-width:150px;height:45px;border:0;border-radius:4px;background:#ffc439;color:#003087;font:italic 800 18px/1 Verdana,system-ui,sans-serif;cursor:pointer}button:hover,button:focus-visible{filter:brightness(.95)}";
        pressed.type = "button";
        pressed.textContent = "PayPal";
        pressed.addEventListener("click", () => request(button.param, button.callback, type));
        place.attachShadow({ mode: "open" }).append(style, pressed);
      }
    }
  }

  window.IMP = {
    init(code) { userCode = code; },
    agency(code, _tier) { userCode = code; },
    request_pay(param, callback) { request(param || {}, callback, null); },
    loadUI(type, param, callback) {
      if (!buttons.size) new MutationObserver(draw).observe(document.documentElement, { childList: true, subtree: true });
      if (buttons.has(type)) Object.assign(buttons.get(type), { param, callback });
      else buttons.set(type, { param, callback });
      draw();
    },
    updateLoadUIRequest(type, param) {
      if (buttons.has(type)) buttons.get(type).param = param;
    },
  };
})();
