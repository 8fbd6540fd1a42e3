import Datapath
import Foundation
import Services
import Testing
import Wire

/// Objects, and lines that the ruleset has or has not.
struct NftablesCase: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var texts: [String]
    var lines: [String] = []
    var absent: [String] = []
}

@Suite("The export to nftables")
struct NftablesExportTests {
    private static let web = "PFISGYVC-default/web/tcp/"

    private static func ruleset(_ texts: [String], _ change: (inout NftablesSettings) -> Void = { _ in }) throws
        -> String
    {
        var settings = NftablesSettings()
        settings.podCIDR = IPv4Prefix(IPv4Address(10, 244, 0, 0), length: 16)
        settings.serviceCIDR = IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 16)
        change(&settings)
        return NftablesExport.ruleset(try compile(texts), node: testNode, settings: settings)
    }

    private static func lines(_ text: String) -> Set<String> {
        Set(text.split(separator: "\n").map { $0.trimmingCharacters(in: CharacterSet(charactersIn: "\t,")) })
    }

    private static let local = slice("[{addresses: [10.244.0.1], nodeName: node-a}]")
    private static let remote = slice("[{addresses: [10.244.1.1], nodeName: node-b}]")
    private static let both = slice(
        "[{addresses: [10.244.0.1], nodeName: node-a}, {addresses: [10.244.1.1], nodeName: node-b}]"
    )
    private static let localPolicy = """
        apiVersion: v1
        kind: Service
        metadata: {name: web}
        spec:
          {clusterIP: 10.96.0.10, type: LoadBalancer, externalTrafficPolicy: Local,
           ports: [{port: 80, targetPort: 8080, nodePort: 30080}]}
        status: {loadBalancer: {ingress: [{ip: 198.51.100.1}]}}
        """

    static let cases = [
        NftablesCase(
            testDescription: "a ClusterIP",
            texts: [service(), both],
            lines: [
                "10.96.0.10 . tcp . 80 : goto service-\(web)",
                "ip daddr 10.96.0.10 tcp dport 80 ip saddr != 10.244.0.0/16 jump mark-for-masquerade",
                "numgen random mod 2 vmap { 0 : goto endpoint-\(endpoint("10.244.0.1")), 1 : goto endpoint-\(endpoint("10.244.1.1")) }",
                "meta l4proto tcp dnat to 10.244.1.1:8080",
                "ip saddr 10.244.0.1 jump mark-for-masquerade", "ip daddr 10.96.0.0/16 drop",
            ],
            absent: ["ip saddr 10.244.1.1 jump mark-for-masquerade"]
        ),
        NftablesCase(
            testDescription: "a ServiceCIDR, and the one of the cluster itself",
            texts: [
                service(), both,
                "{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: a}, spec: {cidrs: [10.96.0.0/16]}}",
                "{apiVersion: networking.k8s.io/v1, kind: ServiceCIDR, metadata: {name: b}, spec: {cidrs: [10.99.0.0/24]}}",
            ],
            lines: ["ip daddr 10.96.0.0/16 drop", "ip daddr 10.99.0.0/24 drop"]
        ),
        NftablesCase(
            testDescription: "no endpoint anywhere",
            texts: [service("type: NodePort")],
            lines: ["10.96.0.10 . tcp . 80 comment \"default/web:80\" : goto reject-chain"]
        ),
        NftablesCase(
            testDescription: "internal policy Local without a local endpoint",
            texts: [service("internalTrafficPolicy: Local"), remote],
            lines: ["10.96.0.10 . tcp . 80 comment \"default/web:80\" : drop"],
            absent: ["10.96.0.10 . tcp . 80 : goto local-\(web)"]
        ),
        NftablesCase(
            testDescription: "external policy Local without a local endpoint: pods and the node still reach all",
            texts: [localPolicy, remote],
            lines: [
                "198.51.100.1 . tcp . 80 : goto external-\(web)", "tcp . 30080 : goto external-\(web)",
                "198.51.100.1 . tcp . 80 comment \"default/web:80\" : drop",
                "tcp . 30080 comment \"default/web:80\" : drop",
                "ip saddr 10.244.0.0/16 goto service-\(web) comment \"short-circuit pod traffic\"",
                "fib saddr type local goto service-\(web) comment \"short-circuit local traffic\"",
            ],
            absent: ["goto local-\(web)"]
        ),
        NftablesCase(
            testDescription: "external policy Local with a local endpoint",
            texts: [localPolicy, local],
            lines: ["goto local-\(web)"],
            absent: ["198.51.100.1 . tcp . 80 comment \"default/web:80\" : drop"]
        ),
        NftablesCase(
            testDescription: "affinity",
            texts: [service("sessionAffinity: ClientIP"), local],
            lines: [
                "set affinity-\(endpoint("10.244.0.1")) {", "timeout 10800s", "flags dynamic,timeout",
                "update @affinity-\(endpoint("10.244.0.1")) { ip saddr }",
                "ip saddr @affinity-\(endpoint("10.244.0.1")) goto endpoint-\(endpoint("10.244.0.1"))",
            ]
        ),
        NftablesCase(
            testDescription: "source ranges, one within another",
            texts: [
                localPolicy.replacingOccurrences(
                    of: "type: LoadBalancer",
                    with: "type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.16/28, 203.0.113.0/24]"
                ), local,
            ],
            lines: [
                "198.51.100.1 . tcp . 80 comment \"default/web:80\" : goto firewall-\(web)",
                "ip saddr != { 203.0.113.0/24 } drop",
            ]
        ),
        NftablesCase(
            testDescription: "a host port",
            texts: [pod("agent", "10.244.0.9", spec: ", hostPort: 9100")],
            lines: ["meta l4proto tcp dnat to 10.244.0.9:8080", "ip saddr 10.244.0.9 jump mark-for-masquerade"]
        ),
    ]

    /// The names of the endpoints of `default/web`, port 8080, each by its hash.
    private static func endpoint(_ address: String) -> String {
        "\(address == "10.244.0.1" ? "SYFQB2I5" : "2RHS47HO")-default/web/tcp/__\(address)/8080"
    }

    @Test("has the rules of kube-proxy", arguments: cases)
    func rules(_ example: NftablesCase) throws {
        let found = Self.lines(try Self.ruleset(example.texts))
        for line in example.lines { #expect(found.contains(line), "\(line)") }
        for line in example.absent { #expect(!found.contains(line), "\(line)") }
    }

    @Test("names chains as kube-proxy does, hash included")
    func names() throws {
        let text = try Self.ruleset([
            """
            apiVersion: v1
            kind: Service
            metadata: {name: svc1, namespace: ns1}
            spec: {clusterIP: 10.96.0.10, ports: [{name: p80, port: 80}]}
            """,
            """
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: svc1-1, namespace: ns1, labels: {kubernetes.io/service-name: svc1}}
            addressType: IPv4
            ports: [{name: p80, port: 80}]
            endpoints: [{addresses: [10.180.0.1]}]
            """,
        ])
        // From kube-proxy's own comments and tests (pkg/proxy/nftables/proxier.go, proxier_test.go).
        #expect(text.contains("chain service-ULMVA6XW-ns1/svc1/tcp/p80 {"))
        #expect(text.contains("chain endpoint-5OJB2KTY-ns1/svc1/tcp/p80__10.180.0.1/80 {"))
    }

    @Test("follows the settings")
    func settings() throws {
        let all = try Self.ruleset([service(), Self.local]) { $0.masqueradeAll = true }
        #expect(all.contains("ip daddr 10.96.0.10 tcp dport 80 jump mark-for-masquerade"))
        let none = try Self.ruleset([service(), Self.local]) { $0.podCIDR = nil }
        #expect(!none.contains("dport 80"))
        let turns = try Self.ruleset([service(), Self.local]) { $0.algorithm = .roundRobin }
        #expect(turns.contains("numgen inc mod 1"))
        let strict = try Self.ruleset([Self.localPolicy, Self.local]) { $0.unknownPorts = .drop }
        #expect(strict.contains("ip daddr @external-ips drop"))
        let named = try Self.ruleset([]) { $0.table = "kube-proxy" }
        #expect(named.contains("table ip kube-proxy {"))
    }

    @Test(
        "knows the names that nft takes",
        arguments: [("culvert", true), ("kube-proxy", true), ("", false), ("a b", false), ("1a", false), ("a;", false)]
    )
    func tableNames(_ name: String, _ isGood: Bool) { #expect(NftablesSettings.isTableName(name) == isGood) }

    @Test("is accepted by nft", .enabled(if: nftRuns, "needs root and nft"), arguments: cases)
    func accepted(_ example: NftablesCase) throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("culvert-\(UUID().uuidString).nft")
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(try Self.ruleset(example.texts).utf8).write(to: file)
        // Twice: the file replaces what it made before.
        #expect(try nft("nft -f '\(file.path)' && nft -f '\(file.path)'") == 0)
    }
}

/// Runs a shell command in a network namespace of its own; its exit code.
private func nft(_ command: String) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "exec unshare --net sh -c \"$0\"", command]
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
}

/// Whether there is a namespace to be had, and nft in it.
private let nftRuns = (try? nft("nft list ruleset >/dev/null 2>&1")) == 0
