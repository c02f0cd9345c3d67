// Starts the SQS of the npm package fauxqs, on a loopback port: node serve.js FOLDER, FOLDER
// being where npm installed it. Its queues, and the messages that were in them before it was
// restarted, are read from standard input, as /_fauxqs/queues/NAME says them.
"use strict";
const path = require("path");
const { pathToFileURL } = require("url");
const dist = path.join(process.argv[2], "node_modules", "fauxqs", "dist");
const load = (file) => import(pathToFileURL(path.join(dist, file)).href);

async function main() {
  const { buildApp } = await load("app.js");
  const { SqsStore } = await load("sqs/sqsStore.js");
  let text = "";
  for await (const part of process.stdin) text += part;
  const sqsStore = new SqsStore();
  for (const { name, url, arn, attributes, messages } of JSON.parse(text)) {
    const queue = sqsStore.createQueue(name, url, arn, attributes);
    const { inflight, ready } = messages ?? { inflight: [], ready: [] };
    // What was received and not deleted comes again at once. Sequence numbers have one width.
    const all = [...inflight.map((entry) => entry.message), ...ready];
    all.sort((a, b) => (a.sequenceNumber ?? "").localeCompare(b.sequenceNumber ?? ""));
    for (const message of all) {
      queue.sequenceCounter = Math.max(queue.sequenceCounter, Number(message.sequenceNumber ?? 0));
      queue.enqueue(message);
    }
  }
  const app = buildApp({ logger: false, stores: { sqsStore } });
  await app.listen({ port: 0, host: "127.0.0.1" });
  console.log("listening on " + app.server.address().port);
}

main().catch((err) => {
  console.log(err);
  process.exit(1);
});
