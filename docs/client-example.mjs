// A whole conversation with the client library, from Node: `node docs/client-example.mjs http://localhost:8000`.
//
// It begins a chat, says one thing more, shows what comes until an agent has answered, and leaves.

import { connect, newId, startChat } from "../resume/widget/stillhere.js";

const origin = process.argv[2] ?? "http://localhost:8000";

const message = { id: newId(), data: { text: "Is the marzipan tea vegan?" } };
const { chat: id, token } = await startChat({ name: "Ann", message }, origin);
const client = connect({ origin, token, chats: [id] });
let shown = 0;

client.addEventListener("status", ({ detail }) => console.error(detail.status));
client.addEventListener("events", ({ detail: { chat } }) => {
  for (const event of chat.events.filter(({ seq }) => seq > shown)) {
    shown = event.seq;
    if (event.kind !== "message") continue;
    console.log(`${event.by === chat.me ? "customer" : "agent"}: ${event.data.text}`);
    if (event.by !== chat.me) leave(chat);
  }
});

client.chat(id)?.send("And has it nuts?"); // before there is a connection: it goes out when there is one

function leave(chat) {
  chat.read(chat.events.at(-1).seq);
  client.close();
}
