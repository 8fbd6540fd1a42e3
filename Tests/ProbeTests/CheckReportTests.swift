import Control
import Foundation
import Testing

@Suite("What check shows")
struct CheckReportTests {
    @Test("is a table of frontends and the totals")
    func text() throws {
        let expected = """
            FRONTEND               KIND           SERVICE            POLICY    BACKENDS                           MASQUERADE   AFFINITY   SOURCES
            10.96.0.12:80/TCP      ClusterIP      default/empty:80   Cluster   <reject no_endpoints>              outside      <none>     <any>
            10.96.0.11:53/UDP      ClusterIP      default/one:53     Cluster   10.244.1.2:5353                    outside      <none>     <any>
            192.0.2.10:30053/UDP   NodePort       default/one:53     Local     <drop no_local_endpoints>          node         <none>     <any>
            10.96.240.251:80/TCP+  ClusterIP      default/waiting:80 Cluster   <reject no_endpoints>              outside      <none>     <any>
            10.96.0.10:80/TCP      ClusterIP      default/web:http   Cluster   10.244.0.1:8080*,10.244.1.1:8080   outside      10800s     <any>
            192.0.2.10:30080/TCP   NodePort       default/web:http   Cluster   10.244.0.1:8080*,10.244.1.1:8080   always       10800s     <any>
            198.51.100.1:80/TCP    LoadBalancer   default/web:http   Cluster   10.244.0.1:8080*,10.244.1.1:8080   always       10800s     203.0.113.0/25

            7 frontends, 4 service ports, 3 backends, 1 of them on node-a (*)
            addresses and ports given by Culvert (+): 1
            loaded: 4 Service, 2 EndpointSlice, 0 Endpoints, 0 Pod, 0 Node
            skipped: 1 ConfigMap

            """
        func words(_ text: String) -> [[Substring]] { text.split(separator: "\n").map { $0.split(separator: " ") } }
        let text = CheckReport(try cluster()).text(isWide: false)
        #expect(words(text) == words(expected))
        // Columns begin at the same place in every row.
        let rows = text.split(separator: "\n").prefix(8)
        let second = Set(rows.map { $0.range(of: $0.split(separator: " ")[1])?.lowerBound.utf16Offset(in: $0) })
        #expect(second.count == 1)
    }

    @Test("names all backends only when wide")
    func wide() throws {
        let addresses = (1...5).map { "{addresses: [10.244.1.\($0)]}" }.joined(separator: ", ")
        let text = """
            apiVersion: v1
            kind: Service
            metadata: {name: web}
            spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
            addressType: IPv4
            ports: [{port: 8080}]
            endpoints: [\(addresses)]
            """
        let report = CheckReport(try cluster(text))
        #expect(report.text(isWide: false).contains("10.244.1.1:8080,10.244.1.2:8080,10.244.1.3:8080 + 2 more..."))
        #expect(report.text(isWide: true).contains("10.244.1.4:8080,10.244.1.5:8080"))
        #expect(report.text(isWide: true).hasPrefix("ID   FRONTEND"))
    }

    @Test("says so when there are no frontends")
    func empty() throws {
        let text = CheckReport(try cluster("apiVersion: v1\nkind: Node\nmetadata: {name: node-a}")).text(isWide: false)
        #expect(text.hasPrefix("No frontends.\n\n0 frontends, 0 service ports"))
    }

    @Test("has the ports of health checks, with what they answer, and marks those that were given")
    func healthChecks() throws {
        func service(_ name: String, _ port: String) -> String {
            """
            apiVersion: v1
            kind: Service
            metadata: {name: \(name)}
            spec: {type: LoadBalancer, externalTrafficPolicy: Local, \(port)selector: {app: a}, ports: [{port: 80}]}
            ---

            """
        }
        func pod(_ node: String) -> String {
            """
            apiVersion: v1
            kind: Pod
            metadata: {name: a, labels: {app: a}}
            spec: {nodeName: \(node), containers: [{name: a}]}
            status: {phase: Running, podIP: 10.244.0.1}
            """
        }
        let services = service("chosen", "healthCheckNodePort: 32100, ") + service("given", "")
        let report = CheckReport(try cluster(services + pod("node-a")))
        #expect(
            report.text(isWide: false).contains(
                "\nhealth check of default/chosen on port 32100: 200, 1 endpoint on node-a\n"
            )
        )
        let found = try #require(try object(report.json.line)["healthChecks"] as? [[String: Any]])
        #expect(found.map { $0["service"] as? String } == ["default/chosen", "default/given"])
        #expect(found.map { $0["allocated"] as? Bool } == [false, true])
        let port = try #require(found[1]["port"] as? Int)
        let elsewhere = CheckReport(try cluster(services + pod("node-b"))).text(isWide: false)
        #expect(elsewhere.contains("\nhealth check of default/given on port \(port)+: 503, 0 endpoints on node-a\n"))
    }

    @Test("is one object as JSON, with the same warnings")
    func json() throws {
        let report = CheckReport(try cluster())
        let found = try object(report.json.line)
        #expect(
            Set(found.keys) == ["node", "frontends", "healthChecks", "allocations", "totals", "skipped", "warnings"]
        )
        let frontends = try #require(found["frontends"] as? [[String: Any]])
        #expect(frontends.count == 7)
        let balanced = try #require(frontends.first { $0["frontend"] as? String == "LoadBalancer" })
        #expect(balanced["address"] as? String == "198.51.100.1:80")
        #expect(balanced["sourceRanges"] as? [String] == ["203.0.113.0/25"])
        #expect(balanced["affinitySeconds"] as? Int == 10800)
        let backends = try #require(balanced["backends"] as? [[String: Any]])
        #expect(backends.map { $0["backend"] as? String } == ["10.244.0.1:8080", "10.244.1.1:8080"])
        #expect(backends.map { $0["local"] as? Bool } == [true, false])
        let dropping = try #require(frontends.first { $0["policy"] as? String == "Local" })
        #expect(dropping["verdict"] as? String == "drop")
        #expect(dropping["reason"] as? String == "no_local_endpoints")
        #expect(frontends.contains { $0["address"] as? String == "10.96.240.251:80" })
        #expect(found["skipped"] as? [String: Int] == ["ConfigMap": 1])
        #expect(frontends.count { $0["allocated"] as? Bool == true } == 1)
        let allocations = try #require(found["allocations"] as? [[String: String]])
        #expect(allocations == [["kind": "ClusterIP", "owner": "default/waiting", "value": "10.96.240.251"]])
        // Two Services have no endpoint, one has none here.
        #expect(report.warnings.count == 3)
        #expect((found["warnings"] as? [String])?.count == 3)
    }
}
