// Runs one of the emulators of SQS: node serve.js local-aws-sqs|fauxqs PORT QUEUE…
// A queue is a name, or NAME=MAXIMUM for one with a MaximumMessageSize. It says "ready"
// and ends with its standard input.
const { existsSync } = require("node:fs");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

const [which, port, ...names] = process.argv.slice(2);
const queues = names.map((n) => {
  const [name, maximum] = n.split("=");
  const attributes = {};
  if (maximum) attributes.MaximumMessageSize = maximum;
  if (name.endsWith(".fifo")) attributes.FifoQueue = "true";
  return { name, attributes };
});

// A package that is an ES module alone is not found by NODE_PATH.
function find(path) {
  const found = (process.env.NODE_PATH || "").split(":").map((d) => join(d, path)).find(existsSync);
  if (!found) throw new Error(path + " is not in NODE_PATH");
  return pathToFileURL(found).href;
}

async function main() {
  if (which === "fauxqs") {
    const { startFauxqs } = await import(find("fauxqs/dist/app.js"));
    await startFauxqs({ port: Number(port), host: "127.0.0.1", logger: false, defaultRegion: "eu-central-1", init: { queues, buckets: ["mail-archive"] } });
  } else {
    const { createSqsServer } = require("local-aws-sqs");
    await createSqsServer({
      port: Number(port), hostname: "127.0.0.1", emulateQueueCreationLifecycle: false,
      queues: queues.map((q) => ({ QueueName: q.name, Attributes: q.attributes })),
    });
  }
  console.log("ready");
}

process.stdin.resume().on("end", () => process.exit(0));
main().catch((e) => { console.error(e); process.exit(1); });
