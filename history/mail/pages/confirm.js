// The page where the owner of an address allows a copy. The secret stands behind the #, so no server log has it.

const button = document.getElementById("allow");
const outcome = document.getElementById("outcome");

button.addEventListener("click", async () => {
  button.disabled = true;
  outcome.textContent = "One moment …";
  try {
    const answer = await fetch("/api/v1/mail/confirm", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ secret: location.hash.slice(1) }),
    });
    const told = await answer.json();
    outcome.textContent = answer.ok ? "The transcript is on its way to you." : told.detail;
  } catch {
    outcome.textContent = "We could not be reached. Please try again.";
    button.disabled = false;
  }
});
