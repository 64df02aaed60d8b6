import { createServer } from "node:http";
import type { NewProject } from "../world.ts";
import { newProjectId, newProjectTime, projects, viewText } from "../world.ts";
import { portOf, serving } from "./serving.ts";

/**
 * The floor: `node:http`, routes by comparing texts, answers written ahead where they can be, `JSON.parse` of the body
 * and `JSON.stringify` of what comes of it. No authentication, no check, no log, no header but what HTTP needs.
 */
const answers = new Map([...projects].map(([id, project]) => [`/v1/projects/${id}`, viewText(project)]));

const server = createServer((req, res) => {
  if (req.method === "GET") {
    const answer = answers.get(req.url ?? "");
    if (answer === undefined) {
      res.writeHead(404, { "content-length": 0 });
      res.end();
      return;
    }
    res.writeHead(200, {
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(answer),
    });
    res.end(answer);
    return;
  }
  if (req.method === "POST" && req.url === "/v1/projects") {
    let text = "";
    req.setEncoding("utf8");
    req.on("data", (chunk: string) => {
      text += chunk;
    });
    req.on("end", () => {
      const { name, url, backendType, description, isPublic }: NewProject = JSON.parse(text);
      const answer = JSON.stringify({
        id: newProjectId,
        name,
        url,
        backendType,
        description,
        isPublic,
        createdAt: newProjectTime,
        updatedAt: newProjectTime,
      });
      res.writeHead(201, {
        "content-type": "application/json; charset=utf-8",
        "content-length": Buffer.byteLength(answer),
      });
      res.end(answer);
    });
    return;
  }
  res.writeHead(404, { "content-length": 0 });
  res.end();
});

server.listen(0, "127.0.0.1", () => serving({ port: portOf(server) }));
