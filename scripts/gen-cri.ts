import { readFile, writeFile } from "node:fs/promises";
import protobuf from "protobufjs";

/**
 * Writes src/cri/runtime-v1.generated.json, the protobufjs descriptor of CRI v1, from the published api.proto
 * (Debian package golang-k8s-cri-api-dev, pkg/apis/runtime/v1/api.proto): `npx tsx scripts/gen-cri.ts <path of api.proto>`.
 */
const [source] = process.argv.slice(2);
if (source === undefined) {
  process.stderr.write("Cannot generate the CRI descriptor: no input given, wanted the path of api.proto\n");
  process.exit(2);
}
const { root } = protobuf.parse(await readFile(source, "utf8"));
const target = new URL("../src/cri/runtime-v1.generated.json", import.meta.url);
await writeFile(target, `${JSON.stringify(root.toJSON({ keepComments: false }), undefined, 1)}\n`);
