// Answers as ClickHouse's HTTP interface does, with the engine of the npm package
// chdb: node serve.js FOLDER PORT, FOLDER being where npm installed it.
"use strict";
const http = require("http");
const path = require("path");
const [folder, port] = process.argv.slice(2);
const { Session } = require(path.join(folder, "node_modules", "chdb"));
const session = new Session();
// Akvorado makes columns of this type.
session.query("SET allow_suspicious_low_cardinality_types = 1");

// The driver asks this first, and is told a revision of 0: from then on it reads
// blocks as FORMAT Native writes them. This one is of the driver's own revision.
const hello = "SELECT displayName(), version(), revision(), timezone()";

function greeting() {
  const text = (s) => Buffer.concat([Buffer.from([Buffer.byteLength(s)]), Buffer.from(s)]);
  const column = (name, type, data) => Buffer.concat([text(name), text(type), Buffer.from([0]), data]);
  const [version, zone] = session.query("SELECT version(), timezone()", "TSV").trim().split("\t");
  return Buffer.concat([
    Buffer.from([1, 0, 2, 255, 255, 255, 255, 0, 4, 1]),
    column("displayName()", "String", text("chdb")),
    column("version()", "String", text(version)),
    column("revision()", "UInt32", Buffer.alloc(4)),
    column("timezone()", "String", text(zone)),
  ]);
}

async function answer(at, body) {
  const insert = at.searchParams.get("query");
  if (body === hello) return greeting();
  if (insert || !/^\s*SELECT/i.test(body)) {
    await session.queryAsync(insert ? insert + "\n" + body : body);
    return Buffer.alloc(0);
  }
  const none = new Set(["database", "default_format", "client_protocol_version"]);
  const settings = [...at.searchParams].filter(([name]) => !none.has(name)).map(([name, value]) => `${name} = ${value}`);
  const sql = settings.length ? `${body} SETTINGS ${settings.join(", ")}` : body;
  return Buffer.from((await session.queryAsync(sql, { format: "Native" })).bytes());
}

http
  .createServer(async (req, res) => {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    try {
      res.end(await answer(new URL(req.url, "http://localhost"), Buffer.concat(chunks).toString()));
    } catch (e) {
      res.writeHead(500, { "X-ClickHouse-Exception-Code": String(e.clickhouseCode || 1002) });
      res.end(e.message);
    }
  })
  .listen(Number(port), "127.0.0.1");
