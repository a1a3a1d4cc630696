import type { APIService } from "#machinery/api/apiregistration-v1.ts";
import { defineKind, STATUS } from "../kind.ts";

export const APIServiceKind = defineKind<APIService>({
  group: "apiregistration.k8s.io",
  version: "v1",
  kind: "APIService",
  plural: "apiservices",
  categories: ["api-extensions"],
  scope: "Cluster",
  typeName: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
  storagePrefix: "/registry/apiregistration.k8s.io/apiservices",
  subresources: [STATUS],
});
