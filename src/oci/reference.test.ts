import { expect, test } from "vitest";
import { formatReference, parseReference } from "./reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

test.each([
  ["kubia", "docker.io/library/kubia:latest"],
  ["kubia:v2", "docker.io/library/kubia:v2"],
  ["luksa/kubia", "docker.io/luksa/kubia:latest"],
  ["index.docker.io/luksa/kubia", "docker.io/luksa/kubia:latest"],
  ["registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.10"],
  ["localhost/app", "localhost/app:latest"],
  ["localhost:5000/app:1", "localhost:5000/app:1"],
  [`kubia@${digest}`, `docker.io/library/kubia@${digest}`],
  [`kubia:v1@${digest}`, `docker.io/library/kubia:v1@${digest}`],
])("parseReference() completes %s to %s", (name, full) => {
  const reference = parseReference(name);
  expect(reference && formatReference(reference)).toBe(full);
});

test.each(["", "Kubia", "a//b", "a:b:c", "a@sha256:12", "-a", "a b", "a/:tag", "a:", "../a"])("parseReference() refuses %j", (name) => {
  expect(parseReference(name)).toBeUndefined();
});
