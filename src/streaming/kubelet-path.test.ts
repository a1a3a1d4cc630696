import { expect, test } from "vitest";
import { kubeletAttachPath, kubeletExecPath, kubeletLogPath, kubeletPortForwardPath } from "./kubelet-path.ts";

const of = { namespace: "default", pod: "web", container: "c" };

test("the node agent's paths carry options under its own names", () => {
  const options = { stdin: true, stdout: true, stderr: false, tty: true };
  expect([
    kubeletExecPath(of, { ...options, command: ["sh", "-c", "a & b"] }),
    kubeletAttachPath(of, { ...options, stderr: true, tty: false }),
    kubeletPortForwardPath(of),
    kubeletPortForwardPath(of, [80, 443]),
    kubeletLogPath(of, new URLSearchParams()),
    kubeletLogPath({ ...of, pod: "a/b" }, new URLSearchParams({ follow: "true" })),
  ]).toEqual([
    "/exec/default/web/c?input=1&output=1&tty=1&command=sh&command=-c&command=a+%26+b",
    "/attach/default/web/c?input=1&output=1&error=1",
    "/portForward/default/web",
    "/portForward/default/web?port=80&port=443",
    "/containerLogs/default/web/c",
    "/containerLogs/default/a%2Fb/c?follow=true",
  ]);
});
