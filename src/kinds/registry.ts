import { BindingKind } from "./core/binding.ts";
import { ComponentStatusKind } from "./core/component-status.ts";
import { ConfigMapKind } from "./core/config-map.ts";
import { EndpointsKind } from "./core/endpoints.ts";
import { EventKind } from "./core/event.ts";
import { LimitRangeKind } from "./core/limit-range.ts";
import { NamespaceKind } from "./core/namespace.ts";
import { NodeKind } from "./core/node.ts";
import { PersistentVolumeClaimKind } from "./core/persistent-volume-claim.ts";
import { PersistentVolumeKind } from "./core/persistent-volume.ts";
import { PodKind } from "./core/pod.ts";
import { PodTemplateKind } from "./core/pod-template.ts";
import { ReplicationControllerKind } from "./core/replication-controller.ts";
import { ResourceQuotaKind } from "./core/resource-quota.ts";
import { SecretKind } from "./core/secret.ts";
import { ServiceAccountKind } from "./core/service-account.ts";
import { ServiceKind } from "./core/service.ts";
import { ControllerRevisionKind } from "./apps/controller-revision.ts";
import { DaemonSetKind } from "./apps/daemon-set.ts";
import { DeploymentKind } from "./apps/deployment.ts";
import { ReplicaSetKind } from "./apps/replica-set.ts";
import { StatefulSetKind } from "./apps/stateful-set.ts";
import { CronJobKind } from "./batch/cron-job.ts";
import { JobKind } from "./batch/job.ts";
import { HorizontalPodAutoscalerKind } from "./autoscaling/horizontal-pod-autoscaler.ts";
import { HorizontalPodAutoscalerV1Kind } from "./autoscaling/horizontal-pod-autoscaler-v1.ts";
import { PodDisruptionBudgetKind } from "./policy/pod-disruption-budget.ts";
import { IngressClassKind } from "./networking/ingress-class.ts";
import { IngressKind } from "./networking/ingress.ts";
import { IPAddressKind } from "./networking/ip-address.ts";
import { NetworkPolicyKind } from "./networking/network-policy.ts";
import { ServiceCIDRKind } from "./networking/service-cidr.ts";
import { EndpointSliceKind } from "./discovery/endpoint-slice.ts";
import { EventV1Kind } from "./events/event.ts";
import { LeaseKind } from "./coordination/lease.ts";
import { RuntimeClassKind } from "./node/runtime-class.ts";
import { PriorityClassKind } from "./scheduling/priority-class.ts";
import { ClusterRoleKind } from "./rbac/cluster-role.ts";
import { ClusterRoleBindingKind } from "./rbac/cluster-role-binding.ts";
import { RoleKind } from "./rbac/role.ts";
import { RoleBindingKind } from "./rbac/role-binding.ts";
import { TokenReviewKind } from "./authentication/token-review.ts";
import { SelfSubjectReviewKind } from "./authentication/self-subject-review.ts";
import { SubjectAccessReviewKind } from "./authorization/subject-access-review.ts";
import { SelfSubjectAccessReviewKind } from "./authorization/self-subject-access-review.ts";
import { SelfSubjectRulesReviewKind } from "./authorization/self-subject-rules-review.ts";
import { LocalSubjectAccessReviewKind } from "./authorization/local-subject-access-review.ts";
import { CertificateSigningRequestKind } from "./certificates/certificate-signing-request.ts";
import { MutatingWebhookConfigurationKind } from "./admissionregistration/mutating-webhook-configuration.ts";
import { ValidatingWebhookConfigurationKind } from "./admissionregistration/validating-webhook-configuration.ts";
import { ValidatingAdmissionPolicyKind } from "./admissionregistration/validating-admission-policy.ts";
import { ValidatingAdmissionPolicyBindingKind } from "./admissionregistration/validating-admission-policy-binding.ts";
import { MutatingAdmissionPolicyKind } from "./admissionregistration/mutating-admission-policy.ts";
import { MutatingAdmissionPolicyBindingKind } from "./admissionregistration/mutating-admission-policy-binding.ts";
import { CustomResourceDefinitionKind } from "./apiextensions/custom-resource-definition.ts";
import { APIServiceKind } from "./apiregistration/api-service.ts";
import { FlowSchemaKind } from "./flowcontrol/flow-schema.ts";
import { PriorityLevelConfigurationKind } from "./flowcontrol/priority-level-configuration.ts";
import { CSIDriverKind } from "./storage/csi-driver.ts";
import { CSINodeKind } from "./storage/csi-node.ts";
import { CSIStorageCapacityKind } from "./storage/csi-storage-capacity.ts";
import { StorageClassKind } from "./storage/storage-class.ts";
import { VolumeAttachmentKind } from "./storage/volume-attachment.ts";
import { VolumeAttributesClassKind } from "./storage/volume-attributes-class.ts";
import { DeviceClassKind } from "./resource/device-class.ts";
import { ResourceClaimKind } from "./resource/resource-claim.ts";
import { ResourceClaimTemplateKind } from "./resource/resource-claim-template.ts";
import { ResourceSliceKind } from "./resource/resource-slice.ts";
import { erased, type Kind } from "./kind.ts";

/**
 * Every built-in kind, in the order of discovery: core first, then groups by priority. A kind that is stored under another
 * version of itself (HorizontalPodAutoscaler, Event) stands after its storage version.
 */
export const KINDS: readonly Kind[] = [
  erased(BindingKind),
  erased(ComponentStatusKind),
  erased(ConfigMapKind),
  erased(EndpointsKind),
  erased(EventKind),
  erased(LimitRangeKind),
  erased(NamespaceKind),
  erased(NodeKind),
  erased(PersistentVolumeClaimKind),
  erased(PersistentVolumeKind),
  erased(PodKind),
  erased(PodTemplateKind),
  erased(ReplicationControllerKind),
  erased(ResourceQuotaKind),
  erased(SecretKind),
  erased(ServiceAccountKind),
  erased(ServiceKind),
  erased(ControllerRevisionKind),
  erased(DaemonSetKind),
  erased(DeploymentKind),
  erased(ReplicaSetKind),
  erased(StatefulSetKind),
  erased(CronJobKind),
  erased(JobKind),
  erased(HorizontalPodAutoscalerKind),
  erased(HorizontalPodAutoscalerV1Kind),
  erased(PodDisruptionBudgetKind),
  erased(IngressClassKind),
  erased(IngressKind),
  erased(IPAddressKind),
  erased(NetworkPolicyKind),
  erased(ServiceCIDRKind),
  erased(EndpointSliceKind),
  erased(EventV1Kind),
  erased(LeaseKind),
  erased(RuntimeClassKind),
  erased(PriorityClassKind),
  erased(ClusterRoleKind),
  erased(ClusterRoleBindingKind),
  erased(RoleKind),
  erased(RoleBindingKind),
  erased(TokenReviewKind),
  erased(SelfSubjectReviewKind),
  erased(SubjectAccessReviewKind),
  erased(SelfSubjectAccessReviewKind),
  erased(SelfSubjectRulesReviewKind),
  erased(LocalSubjectAccessReviewKind),
  erased(CertificateSigningRequestKind),
  erased(MutatingWebhookConfigurationKind),
  erased(ValidatingWebhookConfigurationKind),
  erased(ValidatingAdmissionPolicyKind),
  erased(ValidatingAdmissionPolicyBindingKind),
  erased(MutatingAdmissionPolicyKind),
  erased(MutatingAdmissionPolicyBindingKind),
  erased(CustomResourceDefinitionKind),
  erased(APIServiceKind),
  erased(FlowSchemaKind),
  erased(PriorityLevelConfigurationKind),
  erased(CSIDriverKind),
  erased(CSINodeKind),
  erased(CSIStorageCapacityKind),
  erased(StorageClassKind),
  erased(VolumeAttachmentKind),
  erased(VolumeAttributesClassKind),
  erased(DeviceClassKind),
  erased(ResourceClaimKind),
  erased(ResourceClaimTemplateKind),
  erased(ResourceSliceKind),
];
