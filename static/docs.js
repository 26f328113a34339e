/* The page of the API: signing in, and what the requests of the page carry. RapiDoc draws the operations and sends them. */
(function () {
  "use strict";
  var d = document, root = d.documentElement, doc = d.getElementById("rapidoc");
  root.classList.add("has-js");

  /* RapiDoc brings its theme as a <style>, which this page's policy refuses: the theme's variables stand in docs.css, and
     what would be the <style> is made something that styles nothing. */
  var importNode = d.importNode;
  d.importNode = function (node, deep) {
    var copy = importNode.call(d, node, deep);
    if (copy.querySelectorAll) copy.querySelectorAll("style").forEach(function (style) {
      var inert = d.createElement("template");
      inert.append.apply(inert, style.childNodes);
      style.replaceWith(inert);
    });
    return copy;
  };

  var own = new CSSStyleSheet();
  own.replaceSync("*, ::before, ::after { box-sizing: border-box; } .body { overflow: visible; } .endpoint-head .method { min-width: 4.75rem; } " +
    ".main-content-inner--view-mode { padding: 0; } .sub-title.tag, .section-tag-header { font-weight: 600; }");
  customElements.whenDefined("rapi-doc").then(function () {
    doc.shadowRoot.adoptedStyleSheets = doc.shadowRoot.adoptedStyleSheets.concat(own);
  });

  var signIn = d.getElementById("sign-in"), credentials = d.getElementById("credentials");
  var token = d.getElementById("f-token"), key = d.getElementById("f-key"), carried = d.getElementById("carried");
  var refused = d.getElementById("refused"), code = d.getElementById("code");

  /* what requests carry: all that is filled in */
  function carry() {
    var scheme = (doc.resolvedSpec && doc.resolvedSpec.securitySchemes || []).find(function (one) {
      return one.securitySchemeId === "bearer";
    });
    if (!scheme) return;
    var bearer = token.value.trim(), own = key.value.trim();
    doc.removeAllSecurityKeys();
    /* a scheme that OpenAPI has no word for is described as a header, and its own word goes before the token */
    if (bearer) doc.setApiKey("bearer", scheme.scheme === "bearer" ? bearer : signIn.dataset.word + " " + bearer);
    if (own) doc.setApiKey("apiKey", own);
    var parts = [bearer && "an access token", own && "an API key"].filter(Boolean);
    carried.textContent = "Requests from this page carry " + (parts.join(" and ") || "no credentials") + ".";
  }
  credentials.addEventListener("input", carry);
  credentials.addEventListener("submit", function (e) { e.preventDefault(); carry(); });
  doc.addEventListener("spec-loaded", function () { setTimeout(carry); });

  function refuse(words) {
    refused.textContent = words;
    refused.hidden = !words;
  }

  signIn.addEventListener("submit", function (e) {
    e.preventDefault();
    refuse("");
    var asked = Object.fromEntries(new FormData(signIn));
    if (!asked.otp) delete asked.otp;
    fetch("/api/token/", {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(asked)
    }).then(function (answer) {
      return answer.json().then(function (told) {
        if (!answer.ok) {
          code.hidden = !/^two_factor_/.test(told.code || "");
          if (!code.hidden) d.getElementById("f-otp").focus();
          return refuse(told.detail || "The server refused: " + answer.status);
        }
        token.value = told.access;
        signIn.reset();
        code.hidden = true;
        carry();
      });
    }).catch(function () { refuse("The server does not answer."); });
  });
})();
