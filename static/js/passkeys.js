// Shows what asks for a passkey where the browser can make one, and says what went wrong in words.
// The library's scripts do the asking; they send "allauth.error" when it comes to nothing.
(() => {
  const REASONS = {
    NotAllowedError: "Nothing was used. Either the browser has no passkey for this site, or you stopped it.",
    InvalidStateError: "This device holds a passkey for your account already.",
    SecurityError: "The browser makes no passkeys for this address. Open the site by its name, over HTTPS.",
    NotSupportedError: "This browser or device cannot make such a passkey.",
  };

  if (window.PublicKeyCredential) {
    for (const form of document.querySelectorAll("[data-passkey-form]")) form.hidden = false;
  }

  document.addEventListener("allauth.error", (event) => {
    const trouble = document.getElementById("passkey-trouble");
    if (!trouble) return;
    event.preventDefault();
    const exception = event.detail.exception;
    trouble.querySelector("p").textContent = REASONS[exception.name] || `That did not work: ${exception.message}`;
    trouble.hidden = false;
  });
})();
