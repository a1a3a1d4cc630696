import { expect, test } from "vitest";
import { containerdLayout } from "./layout.ts";
import { renderContainerdConfig } from "./render.ts";

const layout = containerdLayout({ dataDir: "/var/lib/navarch/default/node-1", runDir: "/run/navarch/default/node-1" });
const options = {
  layout,
  sandboxImage: "registry.k8s.io/pause:3.10",
  snapshotter: "overlayfs",
  cniBinDir: "/usr/lib/cni",
  cniConfDir: `${layout.state}/cni`,
  restrictOomScoreAdj: false,
  registryConfigDir: "/etc/navarch/registries",
} as const;

test("renderContainerdConfig() renders the configuration of a node", async () => {
  await expect(renderContainerdConfig(options)).toMatchFileSnapshot("testdata/containerd.golden.toml");
});

test("renderContainerdConfig() asks for no score below its own where the machine forbids it", () => {
  const config = renderContainerdConfig({ ...options, restrictOomScoreAdj: true });
  expect(config).toContain("oom_score = 0\n");
  expect(config).toContain("restrict_oom_score_adj = true\n");
});

test("renderContainerdConfig() quotes what would end a string", () => {
  expect(renderContainerdConfig({ ...options, cniConfDir: '/a"b\\c' })).toContain(String.raw`conf_dir = "/a\"b\\c"`);
});

test("containerdLayout() refuses a directory whose socket path the kernel could not hold", () => {
  expect(() => containerdLayout({ dataDir: "/d", runDir: `/${"x".repeat(90)}` })).toThrow("its socket path is longer than 101 bytes");
});
