import { cronJobController } from "./cronjob/controller.ts";
import { csrApproverController } from "./csrapprover/controller.ts";
import { csrCleanerController } from "./csrcleaner/controller.ts";
import { csrSignerController } from "./csrsigner/controller.ts";
import { daemonSetController } from "./daemonset/controller.ts";
import type { Controller } from "./define.ts";
import { deploymentController } from "./deployment/controller.ts";
import { disruptionController } from "./disruption/controller.ts";
import { endpointsController } from "./endpoints/controller.ts";
import { endpointSliceController } from "./endpointslice/controller.ts";
import { endpointSliceMirroringController } from "./endpointslicemirroring/controller.ts";
import { garbageCollectorController } from "./garbagecollector/controller.ts";
import { jobController } from "./job/controller.ts";
import { namespaceController } from "./namespace/controller.ts";
import { nodeIpamController } from "./nodeipam/controller.ts";
import { nodeLifecycleController } from "./nodelifecycle/controller.ts";
import { podGcController } from "./podgc/controller.ts";
import { replicaSetController } from "./replicaset/controller.ts";
import { replicationControllerController } from "./replicationcontroller/controller.ts";
import { rootCaPublisherController } from "./root-ca-publisher/controller.ts";
import { serviceAccountController } from "./serviceaccount/controller.ts";
import { statefulSetController } from "./statefulset/controller.ts";
import { taintEvictionController } from "./tainteviction/controller.ts";
import { ttlAfterFinishedController } from "./ttlafterfinished/controller.ts";

/** Every controller; what a fresh cluster needs first comes first. */
export const CONTROLLERS: readonly Controller[] = [
  serviceAccountController,
  rootCaPublisherController,
  csrApproverController,
  csrSignerController,
  csrCleanerController,
  nodeIpamController,
  nodeLifecycleController,
  taintEvictionController,
  deploymentController,
  replicaSetController,
  replicationControllerController,
  jobController,
  cronJobController,
  ttlAfterFinishedController,
  daemonSetController,
  statefulSetController,
  disruptionController,
  endpointsController,
  endpointSliceController,
  endpointSliceMirroringController,
  namespaceController,
  garbageCollectorController,
  podGcController,
];
