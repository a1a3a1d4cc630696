import type { Node, Pod } from "#machinery/api/core-v1.ts";
import type { Stored } from "#machinery/object.ts";

/** A node of a large cluster: three zones, room for 110 pods. */
export function benchNode(i: number): Stored<Node> {
  const name = `node-${i}`;
  const room = { cpu: "32", memory: "128Gi", pods: "110", "ephemeral-storage": "200Gi" };
  const time = "2030-01-01T00:00:00Z";
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: {
      name,
      uid: `uid-of-${name}`,
      resourceVersion: "1",
      creationTimestamp: time,
      labels: { "kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "topology.kubernetes.io/zone": `zone-${i % 3}` },
    },
    spec: {},
    status: { capacity: room, allocatable: room, conditions: [{ type: "Ready", status: "True", lastTransitionTime: time }] },
  };
}

/** A pod as a Deployment makes it; 2.8 KB once the server has completed it. Asks for no token. */
export function benchPod(name: string, spec: Partial<Pod["spec"]> = {}, labels: Readonly<Record<string, string>> = {}): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      labels: { app: "bench", "pod-template-hash": "6d4cf56db6", ...labels },
      annotations: { "example.com/team": "bench" },
    },
    spec: {
      automountServiceAccountToken: false,
      containers: [
        {
          name: "main",
          image: "registry.example/app:1.2.3",
          command: ["/app", "--listen=:8080", "--log=json"],
          env: [
            { name: "MODE", value: "bench" },
            { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
          ],
          ports: [{ name: "http", containerPort: 8080 }],
          resources: { requests: { cpu: "100m", memory: "128Mi" }, limits: { memory: "256Mi" } },
          readinessProbe: { httpGet: { path: "/healthz", port: "http" }, periodSeconds: 10 },
        },
      ],
      ...spec,
    },
  };
}
