// The page where the owner of an address allows a copy. The secret stands behind the #, so no server log has it.

const button = document.getElementById("allow");
const outcome = document.getElementById("outcome");
const words = outcome.dataset;

button.addEventListener("click", async () => {
  button.disabled = true;
  outcome.textContent = words.wait;
  try {
    const answer = await fetch("/api/v1/mail/confirm", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ secret: location.hash.slice(1) }),
    });
    const mayPass = answer.status >= 500 || answer.status === 429;
    outcome.textContent = answer.ok ? words.done : mayPass ? words.unreachable : words.lost;
    button.disabled = !mayPass;
  } catch {
    outcome.textContent = words.unreachable;
    button.disabled = false;
  }
});
