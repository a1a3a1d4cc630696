#!/usr/bin/env bash
# npm run demo: from a fresh clone to ten answers through a Service over three pods on two nodes. Leaves the cluster running.
set -euo pipefail
cd "$(dirname "$0")/.."
name=${NAVARCH_DEMO_NAME:-demo}
config=${NAVARCH_DEMO_KUBECONFIG:-$PWD/.navarch/demo.kubeconfig}
say() { printf '\n== %s\n' "$*"; }

if [ "$(id -u)" != 0 ]; then
  echo "Cannot run the demo: real nodes need root, run it as root or try \"./navarch up --simulate\"" >&2
  exit 1
fi
mkdir -p "$(dirname "$config")"

say "Two nodes, each a network namespace with its own containerd"
./navarch up --name "$name" --nodes 2 --egress off --install --kubeconfig "$config"
export KUBECONFIG=$config
kubectl get nodes -o wide

say "Three replicas of kubia and a Service"
kubectl apply -f examples/01-kubia/kubia.yaml
for _ in $(seq 300); do
  ready=$(kubectl get rc kubia -o 'jsonpath={.status.readyReplicas}')
  [ "${ready:-0}" = 3 ] && break
  sleep 0.1
done
if [ "${ready:-0}" != 3 ]; then
  kubectl get pods -o wide >&2
  echo "Cannot go on: ${ready:-0} of 3 pods are ready after 30 s, see kubectl describe pods" >&2
  exit 1
fi
kubectl get pods,services,endpointslices -o wide

say "Ten requests from node-1 to the Service's address"
ip=$(kubectl get service kubia -o 'jsonpath={.spec.clusterIP}')
answers=$(for _ in $(seq 10); do ./navarch node --name "$name" node-1 -- curl --silent --show-error --max-time 5 "http://$ip/"; done)
echo "$answers"
seen=$(echo "$answers" | sort -u | wc -l)
if [ "$(echo "$answers" | grep -c "^You've hit kubia-")" != 10 ]; then
  echo "Cannot call this a success: not all ten requests were answered by a kubia pod" >&2
  exit 1
fi

say "$seen pods answered. The cluster keeps running; go on with"
cat <<TEXT
  export KUBECONFIG=$config
  kubectl get pods -o wide
  kubectl exec -it rc/kubia -- curl -s http://kubia
  kubectl delete pod -l app=kubia
and remove it with
  ./navarch down --name $name
TEXT
