import type { AdmissionPlugin } from "./admission.ts";

/** Kinds that this version keeps and shows, but that do nothing yet: whoever makes one is told. */
const WITHOUT_EFFECT: Readonly<Record<string, string>> = {
  ResourceQuota: "quotas are stored but not enforced by this server",
  CustomResourceDefinition: "custom resource definitions are stored but not served by this server",
  APIService: "API services are stored but not proxied by this server",
  MutatingWebhookConfiguration: "webhooks are stored but not called by this server",
  ValidatingWebhookConfiguration: "webhooks are stored but not called by this server",
  ValidatingAdmissionPolicy: "admission policies are stored but not evaluated by this server",
  ValidatingAdmissionPolicyBinding: "admission policies are stored but not evaluated by this server",
  MutatingAdmissionPolicy: "admission policies are stored but not evaluated by this server",
  MutatingAdmissionPolicyBinding: "admission policies are stored but not evaluated by this server",
  FlowSchema: "flow control objects are stored but not followed by this server",
  PriorityLevelConfiguration: "flow control objects are stored but not followed by this server",
};

export const withoutEffect: AdmissionPlugin = {
  name: "WithoutEffect",
  validate({ kind, operation, subresource, warn }) {
    const text = WITHOUT_EFFECT[kind.kind];
    if (text !== undefined && subresource === "" && (operation === "CREATE" || operation === "UPDATE")) warn(text);
    return Promise.resolve();
  },
};
