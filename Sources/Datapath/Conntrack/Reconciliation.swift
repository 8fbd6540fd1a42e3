internal import Tables
internal import Wire

// Theory of operation
//
// After a reload every flow and every remembered client is held against the new rules, whatever changed in them: what is
// looked at is the state, not the change, so nothing that was missed once stays for ever (kube-proxy: issues 126130, 139628).
// A flow goes when a new one with the same tuple would be treated in another way that matters:
//
// - UDP to a frontend, whose backend does not serve it any more: the endpoint is gone or has another port, there is none
//   left, or the flow was plain traffic before the Service came (pkg/proxy/conntrack/cleanup.go; unlike there, a Service
//   without endpoints is no exception);
// - UDP to what was a frontend and is none any more: the Service is gone, or it has another port or address;
// - a TCP connection that was passed on before its Service existed and got no answer: its SYN comes again, for the Service.
//
// Every other flow stays as it is, also where policy, topology or source ranges would decide otherwise now, and so do TCP
// connections to endpoints that are gone, unless `resetsDeletedEndpoints`; see `Stages/Reset.swift`.
//
// The walk is done in slices between batches, so that a large table holds nobody up. It goes round in a circle: a reload
// that comes before the end of a walk only sets how far it still has to go, so that reloads in quick succession do not
// keep a part of the table from ever being seen. A slot of the table that is filled in the meantime was decided by the
// new rules, and looking at it again changes nothing.

/// Where the walk over a table stands.
struct CircularWalk: BitwiseCopyable {
    /// The number that comes next; 0 is never used.
    private var next: UInt32 = 1
    /// One past the last number of this walk.
    private var end: UInt32 = 1
    /// How many are still to be seen.
    private(set) var left: UInt32 = 0

    /// Begins a walk over the numbers from 1 up to `end`, from where the last one had come to.
    mutating func begin(upTo end: UInt32) {
        self.end = end
        if next >= end { next = 1 }
        left = end &- 1
    }

    /// The next number; nil at the end of the walk.
    mutating func step() -> UInt32? {
        guard left > 0 else { return nil }
        left &-= 1
        let number = next
        next = next &+ 1 < end ? next &+ 1 : 1
        return number
    }
}

extension Pipeline {
    /// Takes a new service table, and begins to hold all flows against it: call `reconcile` until it is done.
    package mutating func replaceServices(_ table: ServiceTable) {
        services = table
        usablePorts.update(nodePorts: configuration.nodePortRange, services: table)
        flowWalk.begin(upTo: flows.flows.highWater)
        affinityWalk.begin(upTo: affinity.highWater)
    }

    /// Whether flows are still to be held against the service table.
    package var isReconciling: Bool { flowWalk.left > 0 || affinityWalk.left > 0 }

    /// Goes on holding flows and remembered clients against the service table, looking at `budget` records at most.
    package mutating func reconcile(budget: Int = 1024) {
        var left = budget
        while left > 0, let number = flowWalk.step() {
            left &-= 1
            if isOutdated(number) {
                flows.remove(number)
                counters.flowsReconciled &+= 1
            }
        }
        while left > 0, let number = affinityWalk.step() {
            left &-= 1
            if affinity.reconcile(number, with: services) { counters.affinityForgotten &+= 1 }
        }
    }

    /// Whether a flow contradicts the rules, so that it must go; marks it where it is only to be reset.
    private mutating func isOutdated(_ number: UInt32) -> Bool {
        let transport = flows.flows[number].transport
        guard transport == .udp || transport == .tcp else { return false }
        let destination = flows.flows[number].original.destination
        let port = flows.flows[number].original.destinationPort
        let kind = flows.flows[number].frontend
        let frontend = services.frontend(destination, port, transport)
        if kind == .none {
            guard frontend != nil else { return false }
            return transport == .udp || flows.flows[number].state == .synSent
        }
        var condition: KnownEndpoints.Condition = []
        if let frontend {
            let owner = services.frontends[frontend].servicePort
            condition = services.known.condition(flows.flows[number].backend, ofPort: owner)
            if !condition.isEmpty {
                // An address may have gone from one Service to another that has the same endpoint.
                flows.flows[number].service = services.servicePorts[owner].identifier
                flows.flows[number].frontend = services.frontends[frontend].kind
            }
        }
        if transport == .udp { return !condition.contains(.serving) }
        return configuration.resetsDeletedEndpoints && isToBeReset(number, isPresent: condition.contains(.present))
    }

    /// Marks a connection whose endpoint is gone; one that is hardly begun goes at once, so that its SYN finds another.
    private mutating func isToBeReset(_ number: UInt32, isPresent: Bool) -> Bool {
        if isPresent {
            flows.flows[number].flags.remove(.orphaned)
            return false
        }
        flows.flows[number].flags.insert(.orphaned)
        return flows.flows[number].state == .synSent
    }
}
