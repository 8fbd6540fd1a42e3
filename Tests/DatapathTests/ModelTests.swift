import Datapath
import Tables
import TestSupport
import Testing
import Wire

@Suite("The table against a plain model")
struct ModelTests {
    @Test(
        "packets, reloads, jumps of time and restarts at random: the table is what the model says, at every step",
        arguments: 0..<6
    )
    func randomOperations(seed: Int) throws {
        var run = ModelRun(seed: seed)
        for step in 0..<600 {
            try run.step()
            if let issue = run.issues.first {
                Issue.record("step \(step), \(run.operation): \(issue)")
                return
            }
        }
        // What is never reached says nothing.
        #expect(run.reached.values.allSatisfy { $0 > 0 }, "\(run.reached)")
    }
}

/// A pipeline and a model that see the same, and what is different between them.
struct ModelRun {
    typealias W = World

    /// A connection of two well-behaved ends: what each sends next, and who has sent a FIN.
    struct Ends {
        var next: (client: UInt32, server: UInt32)
        var finOfClient: Bool?
    }
    private struct Frontend: Hashable {
        var address: IPv4Address
        var port: UInt16
        var transport: TransportProtocol
    }
    /// Where a Service comes and goes, and what is plain traffic without it.
    static let elsewhere = IPv4Address(198, 51, 100, 77)
    /// More than there are ever flows: what a full table does has tests of its own.
    private static let capacity = 512
    static let names: [TransportProtocol: String] = [.tcp: "default/pair:tcp", .udp: "default/pair:udp"]

    var generator: TestGenerator
    var world: World
    var model = FlowModel()
    var harness: DatapathHarness
    private var files = MapFiles(capacity: Self.capacity)
    var ends: [UInt64: Ends] = [:]
    var dead: [FlowModel.Entry] = []
    /// The backends of both Services, and whether the frontends at `elsewhere` are there.
    var backends = [W.backend, W.otherBackend]
    private var isElsewhere = false
    private var steps = 0
    var packets = 0
    var operation = "begin"
    var issues: [String] = []
    /// How often what matters has happened.
    var reached = [
        "packet": 0, "new": 0, "port": 0, "reply": 0, "replaced": 0, "nostate": 0, "reconciled": 0, "expired": 0,
        "saved": 0, "pinned": 0, "timeWait": 0,
    ]

    init(seed: Int) {
        generator = TestGenerator(seed: seed &+ 4711)
        world = W()
        world.configuration.seed = UInt64(seed + 1)
        world.configuration.conntrackCapacity = Self.capacity
        harness = DatapathHarness(world)
        rebuild()
        harness = DatapathHarness(world, frameCapacity: 2048, pinned: files.maps())
    }

    /// Makes the rules anew: a Service of each protocol, by ClusterIP and NodePort, and perhaps by an external address.
    private mutating func rebuild() {
        world.rules = W().rules
        for transport in [TransportProtocol.tcp, .udp] {
            let port: UInt16 = transport == .tcp ? 8080 : 5353
            let chosen = backends.map { Backend(address: $0, port: port, isLocal: true) }
            let isElsewhere = isElsewhere
            world.add(Self.names[transport] ?? "", chosen, chosen) { service, rules in
                func add(_ kind: FrontendKind, _ address: IPv4Address, _ port: UInt16) {
                    rules.frontends.append(
                        .init(kind: kind, address: address, port: port, transport: transport, servicePort: service)
                    )
                }
                add(.clusterIP, W.vip, 7000)
                add(.nodePort, W.node, 30070)
                if isElsewhere { add(.externalIP, Self.elsewhere, 7000) }
            }
        }
        if isElsewhere { world.rules.externalAddresses.append(Self.elsewhere) }
    }

    func isFrontend(_ tuple: FlowTuple) -> Bool {
        let (address, port) = (tuple.destination, tuple.destinationPort)
        return (address == W.vip && port == 7000) || (address == W.node && port == 30070)
            || (isElsewhere && address == Self.elsewhere && port == 7000)
    }

    mutating func step() throws {
        steps += 1
        let choice = steps % 60 == 0 ? 100 : generator.pick(0..<100)
        switch choice {
        case 0..<30: begin()
        case 30..<90: goOn()
        case 90..<92: stray()
        case 92..<96: reload()
        case 96..<100: jump()
        default: try steps % 120 == 0 ? restartFromMaps() : restartFromState()
        }
        model.now += UInt64(generator.pick(1..<50_000_000))
        if choice >= 92 || generator.chance(25) { compare() }
    }

    private mutating func jump() {
        let seconds = generator.pick([5, 12, 20, 31, 61, 121, 3601, 25 * 3600])
        operation = "\(seconds) s go by"
        model.now += UInt64(seconds) * 1_000_000_000
        // An idle worker clears away what is over; a busy one may not have come to it.
        if generator.chance(50) { harness.idle(until: Double(model.now - DatapathHarness.epoch) / 1e9) }
    }

    private mutating func reload() {
        backends = generator.pick([[W.backend, W.otherBackend], [W.backend], [W.otherBackend]])
        isElsewhere = generator.chance(50)
        operation = "reload: \(backends), elsewhere \(isElsewhere)"
        rebuild()
        harness.reload(world.rules, slice: generator.pick([1, 7, 1000]))
        let gone = Set(model.live.filter(isOutdated).map(\.identifier))
        model.remove { gone.contains($0.identifier) }
        reached["reconciled", default: 0] += gone.count
    }

    /// Whether a flow contradicts the rules as they are now.
    private func isOutdated(_ entry: FlowModel.Entry) -> Bool {
        let isService = isFrontend(entry.original)
        switch entry.transport {
        case .udp:
            return isService ? !(entry.service != 0 && backends.contains(entry.reply.source)) : entry.service != 0
        case .tcp: return isService && entry.service == 0 && entry.state == .synSent
        default: return false
        }
    }

    private mutating func restartFromState() {
        operation = "restart from a saved state"
        reached["saved", default: 0] += 1
        let state = harness.savedState
        files = MapFiles(capacity: Self.capacity)
        harness = DatapathHarness(world, frameCapacity: 2048, pinned: files.maps())
        let isWhole = harness.resume(state, after: packets)
        check(isWhole && harness.savedState == state, "the state is refused, or another one afterwards")
    }

    private mutating func restartFromMaps() throws {
        operation = "restart from mapped files"
        reached["pinned", default: 0] += 1
        issues += harness.accountingIssues
        let old = files
        files = MapFiles(capacity: Self.capacity)
        world.configuration.seed &+= 1
        harness = DatapathHarness(world, frameCapacity: 2048, pinned: files.maps())
        let result = try old.restore(into: harness, at: Double(model.now - DatapathHarness.epoch) / 1e9)
        model.renumber()
        check(result.refused == 0 && result.flows == model.live.count, "restored \(result)")
    }

    /// Holds the whole table against the model, and the rules that the table has to keep at any time.
    private mutating func compare() {
        let buried = model.bury()
        reached["expired", default: 0] += buried.count
        dead = (dead + buried).suffix(20)
        let found = harness.flows.filter { $0.deadline > model.now }
            .map { flow in
                FlowModel.Entry(
                    original: flow.original,
                    reply: flow.reply,
                    transport: flow.transport,
                    state: flow.state,
                    deadline: flow.deadline,
                    identifier: flow.identifier,
                    service: flow.service
                )
            }
            .sorted { $0.identifier < $1.identifier }
        let expected = model.entries.sorted { $0.identifier < $1.identifier }
        if found != expected {
            let missing = expected.filter { !found.contains($0) }
            let other = found.filter { !expected.contains($0) }
            issues.append("only in the model: \(missing); only in the table: \(other)")
        }
        issues += harness.accountingIssues
        check(harness.areClassesRight, "lists or counts of classes")
        check(harness.isPortMapRight, "maps of ports")
        check(harness.sharedTuples.isEmpty, "shared tuples \(harness.sharedTuples)")
    }

    mutating func check(_ isRight: Bool, _ issue: String) {
        if !isRight { issues.append(issue) }
    }
}
