// Answers every request with the name of the host it runs on, so that a client sees which pod it reached.
const http = require("node:http");
const os = require("node:os");

const server = http.createServer((request, response) => {
  console.log(`Received request from ${request.socket.remoteAddress}`);
  response.writeHead(200, { "content-type": "text/plain" });
  response.end(`You've hit ${os.hostname()}\n`);
});

server.listen(8080, () => console.log("Kubia server starting..."));

// As process 1 of its container this program gets no default signal actions.
for (const name of ["SIGTERM", "SIGINT"]) {
  process.on(name, () => {
    console.log(`Received ${name}, closing`);
    server.close(() => process.exit(0));
    server.closeIdleConnections();
  });
}
