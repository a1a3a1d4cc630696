import type { Resources } from "../resource.ts";
import type { AdmissionPlugin } from "./admission.ts";
import { namespaceLifecycle } from "./namespace-lifecycle.ts";

export interface AdmissionDeps {
  readonly resources: Resources;
}

/** The plug-ins in their order. */
export function admissionPlugins(deps: AdmissionDeps): readonly AdmissionPlugin[] {
  return [namespaceLifecycle(deps)];
}
