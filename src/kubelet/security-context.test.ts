import { describe, expect, test } from "vitest";
import type { Container, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";
import { containerSecurityContext, namespaceOptions, refuseRoot, sandboxSecurityContext } from "./security-context.ts";
import { container } from "./testing/node.ts";

const pod = (spec: Partial<Pod["spec"]> = {}): Stored<Pod> => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "default", uid: "u", resourceVersion: "1", creationTimestamp: "" },
  spec: { containers: [container("main")], ...spec },
});
const nobody = { uid: undefined, username: "" };
const secured = (securityContext: Container["securityContext"] = {}) => container("main", { securityContext });

test("namespaceOptions() follows the pod's wishes", () => {
  expect(namespaceOptions(pod())).toEqual({ network: "POD", pid: "CONTAINER", ipc: "POD" });
  expect(namespaceOptions(pod({ hostNetwork: true, hostPID: true, hostIPC: true }))).toEqual({ network: "NODE", pid: "NODE", ipc: "NODE" });
  expect(namespaceOptions(pod({ shareProcessNamespace: true }))).toMatchObject({ pid: "POD" });
});

describe("containerSecurityContext()", () => {
  test("the container's settings win over the pod's, the pod's over the image's", () => {
    const shared = pod({ securityContext: { runAsUser: 1000, runAsGroup: 3000, fsGroup: 2000, supplementalGroups: [4000] } });
    expect(containerSecurityContext(shared, secured({ runAsUser: 7 }), { uid: 5, username: "" })).toMatchObject({
      runAsUser: 7,
      runAsGroup: 3000,
      supplementalGroups: [2000, 4000],
    });
    expect(containerSecurityContext(shared, secured(), { uid: 5, username: "" })).toMatchObject({ runAsUser: 1000 });
    expect(containerSecurityContext(pod(), secured(), { uid: 5, username: "" })).toMatchObject({ runAsUser: 5 });
    expect(containerSecurityContext(pod(), secured(), { uid: undefined, username: "www" })).toMatchObject({ runAsUsername: "www" });
    expect(containerSecurityContext(pod(), secured(), nobody)).not.toHaveProperty("runAsUser");
  });

  test("masks the kernel's paths unless the container is privileged or asks for them", () => {
    expect(containerSecurityContext(pod(), secured(), nobody).maskedPaths).toContain("/proc/kcore");
    expect(containerSecurityContext(pod(), secured({ privileged: true }), nobody)).toMatchObject({
      privileged: true,
      maskedPaths: [],
      readonlyPaths: [],
    });
    expect(containerSecurityContext(pod(), secured({ procMount: "Unmasked" }), nobody)).toMatchObject({
      privileged: false,
      maskedPaths: [],
    });
  });

  test("carries capabilities, seccomp, AppArmor and the rest", () => {
    const context = secured({
      capabilities: { add: ["NET_ADMIN"], drop: ["ALL"] },
      readOnlyRootFilesystem: true,
      allowPrivilegeEscalation: false,
      seccompProfile: { type: "Localhost", localhostProfile: "p.json" },
      appArmorProfile: { type: "RuntimeDefault" },
      seLinuxOptions: { level: "s0" },
    });
    expect(containerSecurityContext(pod(), context, nobody)).toMatchObject({
      capabilities: { addCapabilities: ["NET_ADMIN"], dropCapabilities: ["ALL"] },
      readonlyRootfs: true,
      noNewPrivs: true,
      seccomp: { profileType: "Localhost", localhostRef: "p.json" },
      apparmor: { profileType: "RuntimeDefault" },
      selinuxOptions: { level: "s0" },
    });
    expect(containerSecurityContext(pod(), secured(), nobody).seccomp).toEqual({ profileType: "Unconfined" });
  });
});

test("sandboxSecurityContext() is privileged as soon as one container is", () => {
  expect(sandboxSecurityContext(pod())).toMatchObject({ privileged: false });
  expect(sandboxSecurityContext(pod({ containers: [container("a"), secured({ privileged: true })] }))).toMatchObject({ privileged: true });
});

describe("refuseRoot()", () => {
  const strict = pod({ securityContext: { runAsNonRoot: true } });
  const where = '(pod: "web_default(u)", container: main)';
  const cases: readonly (readonly [string, Stored<Pod>, Container, { uid: number | undefined; username: string }, string | undefined])[] = [
    ["nobody asked", pod(), secured(), { uid: 0, username: "" }, undefined],
    ["the image names no user", strict, secured(), nobody, `container has runAsNonRoot and image will run as root ${where}`],
    ["the image wants root", strict, secured(), { uid: 0, username: "" }, `container has runAsNonRoot and image will run as root ${where}`],
    ["the image has a number", strict, secured(), { uid: 5, username: "" }, undefined],
    [
      "the image has a name",
      strict,
      secured(),
      { uid: undefined, username: "www" },
      `container has runAsNonRoot and image has non-numeric user (www), cannot verify user is non-root ${where}`,
    ],
    ["the pod says who", strict, secured({ runAsUser: 1 }), { uid: 0, username: "" }, undefined],
    [
      "the pod says root",
      strict,
      secured({ runAsUser: 0 }),
      { uid: 5, username: "" },
      `container's runAsUser breaks non-root policy ${where}`,
    ],
    ["the container knows better", strict, secured({ runAsNonRoot: false }), nobody, undefined],
  ];
  test.each(cases)("%s", (_, of, each, image, wanted) => {
    expect(refuseRoot(of, each, image)).toBe(wanted);
  });
});
