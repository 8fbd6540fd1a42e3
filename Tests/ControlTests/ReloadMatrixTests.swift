import Control
import Datapath
import TestSupport
import Testing
import Wire

private let first = "10.244.1.12"
private let second = "10.244.1.13"

/// Where a datagram goes.
private enum Goal: Equatable {
    case backend(String)
    /// ICMP port unreachable.
    case refused(DropReason)
    case dropped(DropReason)
    case local
    /// On as it is: nobody's.
    case passed
    /// To the backend that it went to before.
    case same
}

/// A change of manifests, where the next datagram of a long-lived socket goes then, and how many flows there are.
private struct Change {
    var name: String
    var before: EchoManifests
    var after: EchoManifests
    /// By the way that the client takes.
    var goals: [Front: Goal]
    /// Flows right after the reload, by the way; 0 where there is none.
    var kept: Set<Front> = []

    static func all(_ goal: Goal) -> [Front: Goal] {
        Dictionary(uniqueKeysWithValues: Front.allCases.map { ($0, goal) })
    }
}

/// The matrix that the incidents of kube-proxy ask for: every change of a UDP Service, by every way to it.
@Suite("Reload matrix")
struct ReloadMatrixTests {
    private static let one = EchoManifests(endpoints: [(first, .ready)])
    private static let both = EchoManifests(endpoints: [(first, .ready), (second, .ready)])
    private static let gone: [Front: Goal] = [
        .clusterIP: .dropped(.noService), .nodePort: .local, .loadBalancer: .passed, .externalIP: .passed,
    ]
    private static let otherPort: [Front: Goal] = [
        .clusterIP: .refused(.noService), .nodePort: .same, .loadBalancer: .passed, .externalIP: .passed,
    ]

    private static let changes: [Change] = [
        Change(name: "nothing", before: both, after: both, goals: Change.all(.same), kept: Set(Front.allCases)),
        Change(name: "add", before: one, after: both, goals: Change.all(.same), kept: Set(Front.allCases)),
        Change(
            name: "replace",
            before: one,
            after: EchoManifests(endpoints: [(second, .ready)]),
            goals: Change.all(.backend("\(second):9001"))
        ),
        Change(
            name: "to zero",
            before: one,
            after: EchoManifests(endpoints: []),
            goals: Change.all(.refused(.noEndpoints))
        ),
        Change(
            name: "from zero",
            before: EchoManifests(endpoints: []),
            after: one,
            goals: Change.all(.backend("\(first):9001"))
        ),
        Change(
            name: "unready to ready",
            before: EchoManifests(endpoints: [(first, .unready)]),
            after: one,
            goals: Change.all(.backend("\(first):9001"))
        ),
        Change(
            name: "ready to unready",
            before: one,
            after: EchoManifests(endpoints: [(first, .unready)]),
            goals: Change.all(.refused(.noEndpoints))
        ),
        Change(
            name: "ready to unready, another is ready",
            before: one,
            after: EchoManifests(endpoints: [(first, .unready), (second, .ready)]),
            goals: Change.all(.backend("\(second):9001"))
        ),
        Change(
            name: "ready to terminating, another is ready",
            before: one,
            after: EchoManifests(endpoints: [(first, .terminating), (second, .ready)]),
            goals: Change.all(.same),
            kept: Set(Front.allCases)
        ),
        Change(name: "delete service", before: one, after: EchoManifests(hasService: false), goals: gone),
        Change(
            name: "create service, after plain traffic",
            before: EchoManifests(hasService: false),
            after: one,
            goals: Change.all(.backend("\(first):9001"))
        ),
        Change(
            name: "change target port",
            before: one,
            after: EchoManifests(target: 9002, endpoints: [(first, .ready)]),
            goals: Change.all(.backend("\(first):9002"))
        ),
        Change(
            name: "change service port",
            before: one,
            after: EchoManifests(port: 9100, endpoints: [(first, .ready)]),
            goals: otherPort,
            kept: [.nodePort]
        ),
        Change(
            name: "change NodePort",
            before: one,
            after: EchoManifests(nodePort: 30091, endpoints: [(first, .ready)]),
            goals: Change.all(.same).merging([.nodePort: .local]) { $1 },
            kept: [.clusterIP, .loadBalancer, .externalIP]
        ),
    ]

    @Test("where the next datagram goes, and what is left in the table", arguments: changes.indices, Front.allCases)
    func matrix(index: Int, front: Front) throws {
        let change = Self.changes[index]
        // The walk over the table in one go, and record by record.
        for slice in [1, 3, Int.max] {
            let socket = try ReloadedSocket(change.before, front)
            let before = socket.send()
            if before.verdict == .forward { #expect(socket.answer(to: before).verdict == .forward) }
            _ = socket.send()
            try socket.reload(change.after, slice: slice)
            let isKept = change.kept.contains(front)
            #expect(socket.harness.flows.count == (isKept ? 1 : 0), "\(change.name), \(front): right after")
            let after = socket.send()
            Self.check(after, change.goals[front], before: before, "\(change.name), \(front)")
            let hasFlow = after.verdict == .forward || after.verdict == .pass
            #expect(socket.harness.flows.count == (hasFlow ? 1 : 0), "\(change.name), \(front): after the datagram")
            if after.verdict == .forward {
                let answer = socket.answer(to: after)
                #expect(issues(in: answer.only, .from(front.address, port: front.port), .validChecksums) == [])
            }
            #expect(socket.harness.accountingIssues == [] && socket.harness.sharedTuples == [])
        }
    }

    @Test(
        "of two endpoints one is removed: its socket moves to the other, the other's stays",
        arguments: Front.allCases
    )
    func remove(_ front: Front) throws {
        for left in [first, second] {
            let socket = try ReloadedSocket(Self.both, front)
            let before = socket.send()
            try socket.reload(EchoManifests(endpoints: [(left, .ready)]))
            let wasThere = before.packet.backend.description == "\(left):9001"
            #expect(socket.harness.flows.count == (wasThere ? 1 : 0))
            let after = socket.send()
            Self.check(after, .backend("\(left):9001"), before: before, "remove, \(front)")
            #expect((after.packet.flow == before.packet.flow) == wasThere)
            #expect(socket.harness.flows.count == 1)
        }
    }

    private static func check(_ after: Treatment, _ goal: Goal?, before: Treatment, _ place: String) {
        switch goal {
        case .backend(let expected):
            #expect(after.verdict == .forward && after.packet.backend.description == expected, "\(place)")
        case .same:
            #expect(after.verdict == .forward && after.packet.flow == before.packet.flow, "\(place)")
        case .refused(let reason):
            #expect(after.verdict == .reject && after.reason == reason, "\(place): \(after.summary)")
            #expect(issues(in: after.only, .validChecksums) == [], "\(place)")
            #expect(after.only.map { Array($0.bytes[20...21]) } == [3, 3], "\(place)")
        case .dropped(let reason):
            #expect(after.verdict == .drop && after.reason == reason, "\(place): \(after.summary)")
        case .local: #expect(after.verdict == .local, "\(place): \(after.summary)")
        case .passed: #expect(after.verdict == .pass, "\(place): \(after.summary)")
        case nil: Issue.record("\(place) has no goal")
        }
    }
}
