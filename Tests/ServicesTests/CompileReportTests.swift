import Datapath
import Kubernetes
import Services
import Testing
import Wire

/// A Service and endpoints, and what is said of them.
struct WarningCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var texts: [String]
    var warnings: [String]

    init(_ description: String, _ texts: [String], _ warnings: [String]) {
        testDescription = description
        self.texts = texts
        self.warnings = warnings
    }
}

@Suite("The report of a compilation")
struct CompileReportTests {
    private func report(_ texts: [String], node: NodeSettings = testNode) throws -> CompileReport {
        CompileReport(
            try load(texts),
            try compile(texts, node: node),
            node: node,
            masqueradeAll: false,
            hasPodCIDR: true
        )
    }

    private static let remote = slice("[{addresses: [10.244.1.1], nodeName: node-b}]")
    private static let local = slice("[{addresses: [10.244.0.1], nodeName: node-a}]")
    private static let external = service("type: NodePort, externalTrafficPolicy: Local")

    private static let refused =
        "0.yaml: document 1: spec.ports[0]: 80/TCP has no endpoint that is ready: connections are refused"

    private static func selecting(_ port: String) -> String {
        "apiVersion: v1\nkind: Service\nmetadata: {name: web}\n"
            + "spec: {clusterIP: 10.96.0.10, selector: {app: web}, ports: [{port: 80, \(port)}]}"
    }

    private static func hostPort(_ address: String) -> String {
        "{apiVersion: v1, kind: Pod, metadata: {name: host-0}, spec: {nodeName: node-a, containers: "
            + "[{ports: [{containerPort: 80, hostPort: 8080, hostIP: \(address)}]}]}, status: {podIP: 10.244.0.7}}"
    }

    static let cases = [
        WarningCase("no endpoints", [service()], [refused]),
        WarningCase(
            "a selector that selects nothing",
            [selecting("targetPort: 8080")],
            [
                "0.yaml: document 1: spec.selector: app=web matches no pod, and there are no endpoints: connections are refused"
            ]
        ),
        WarningCase(
            "pods of which none is ready",
            [
                selecting("targetPort: 8080"),
                pod("web-0", "10.244.0.1").replacing("status: \"True\"", with: "status: \"False\""),
            ],
            [
                "0.yaml: document 1: spec.ports[0]: 80/TCP has no endpoint that is ready, of 1 selected pods: connections are "
                    + "refused"
            ]
        ),
        WarningCase("a headless Service without endpoints", [service().replacing("10.96.0.10", with: "None")], []),
        WarningCase(
            "SCTP",
            [service().replacing("port: 80", with: "port: 80, protocol: SCTP")],
            ["0.yaml: document 1: spec.ports[0].protocol: SCTP is not forwarded"]
        ),
        WarningCase(
            "a host port on an address that no packet comes to",
            [
                hostPort("127.0.0.1"), hostPort("192.0.2.99").replacing("host-0", with: "host-1"),
                hostPort("192.0.2.10")
                    .replacing("host-0", with: "host-2"),
            ],
            [
                "0.yaml: document 1: spec.containers: hostPort 8080 is never reached: its hostIP is 127.0.0.1, which is in no "
                    + "packet that a TUN carries",
                "1.yaml: document 1: spec.containers: hostPort 8080 is never reached: its hostIP is 192.0.2.99, no address of "
                    + "node-a",
            ]
        ),
        WarningCase("a local endpoint", [external, local], []),
        WarningCase(
            "external policy Local without a local endpoint",
            [external, remote],
            [
                "0.yaml: document 1: spec.externalTrafficPolicy: Local leaves default/web:80 without endpoints: none is on "
                    + "node-a, where connections are dropped"
            ]
        ),
        WarningCase("external policy Local without any endpoint", [external], [refused]),
        WarningCase(
            "internal policy Local without a local endpoint",
            [service("internalTrafficPolicy: Local"), remote],
            [
                "0.yaml: document 1: spec.internalTrafficPolicy: Local leaves default/web:80 without endpoints: none is on "
                    + "node-a, where connections are dropped"
            ]
        ),
        WarningCase(
            "a target port that no pod has",
            [selecting("targetPort: htp"), pod("web-0", "10.244.0.1")],
            ["0.yaml: document 1: spec.ports[0].targetPort: \"htp\" is no TCP port of the 1 selected pods"]
        ),
    ]

    @Test("warns of what is hardly meant", arguments: cases)
    func warnings(_ row: WarningCase) throws {
        #expect(try report(row.texts).warnings.map(\.description) == row.warnings)
    }

    @Test("warns of NodePorts that no address has")
    func unreachedNodePorts() throws {
        let node = NodeSettings(name: "node-a", zone: nil, addresses: [], nodePortAddresses: [])
        let text = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {type: NodePort, clusterIP: 10.96.0.10, ports: [{port: 80, nodePort: 30080}]}
            """
        let found = try report([text], node: node).warnings.map(\.description)
        #expect(
            found == [
                Self.refused,
                "0.yaml: document 1: spec.ports[0].nodePort: 30080 is reached on no address: node-a has none that accepts NodePorts",
            ]
        )
    }

    @Test("shows a port without a ClusterIP, and what becomes of connections without a backend")
    func rows() throws {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: api}\nspec: {ports: [{port: 53, protocol: UDP}]}"
        let found = try report([text, service("internalTrafficPolicy: Local"), Self.remote])
        #expect(found.rows.map(\.address) == [nil, "10.96.0.10:80"])
        #expect(found.rows.map { $0.emptyVerdict?.reason } == [.noEndpoints, .noLocalEndpoints])
        #expect(found.rows.map(\.masquerade) == [.outside, .outside])
        #expect(found.totals.services == 2)
        #expect(found.totals.frontends == 1)
        #expect(found.totals.backends == 1)
    }
}
