import Datapath
import Foundation
import Kubernetes
import Names
import TestSupport
import Testing
import Wire

@Suite("The Kubernetes DNS specification 1.1.0")
struct NameCompilerTests {
    private struct Row: Sendable {
        var name: String
        var type: DNSRecordType
        var answer: String
        init(_ name: String, _ type: DNSRecordType, _ answer: String) {
            (self.name, self.type, self.answer) = (name, type, answer)
        }
    }

    private static let none = "NODATA | cluster.local SOA"
    private static let absent = "NXDOMAIN | cluster.local SOA"

    private static let rows: [Row] = [
        // 2.2: the version of the schema.
        Row("dns-version.", .text, "NOERROR ; dns-version. TXT 1.1.0"),
        // 2.3: Services with a ClusterIP.
        Row("web.default.svc.", .address, "NOERROR ; web.default.svc. A 10.96.0.10"),
        Row("web.default.svc.", .ipv6Address, none),
        Row(
            "_http._tcp.web.default.svc.",
            .service,
            "NOERROR ; _http._tcp.web.default.svc. SRV 0 100 80 web.default.svc."
        ),
        Row(
            "_dns._udp.web.default.svc.",
            .service,
            "NOERROR ; _dns._udp.web.default.svc. SRV 0 100 53 web.default.svc."
        ),
        Row("_dns._tcp.web.default.svc.", .service, absent),
        Row("_80._tcp.one.default.svc.", .service, absent), Row("_tcp.one.default.svc.", .service, absent),
        Row("10.0.96.10.in-addr.arpa", .pointer, "NOERROR ; 10.0.96.10.in-addr.arpa PTR web.default.svc."),
        Row("99.0.96.10.in-addr.arpa", .pointer, "NXDOMAIN | 96.10.in-addr.arpa SOA"),
        Row("1.0.111.10.in-addr.arpa", .pointer, "NXDOMAIN | 111.10.in-addr.arpa SOA"),
        Row("1.0.112.10.in-addr.arpa", .pointer, "REFUSED"), Row("8.8.8.8.in-addr.arpa", .pointer, "REFUSED"),
        // A name that begins with a digit (dns.go:659 of the end-to-end tests).
        Row("1st.default.svc.", .address, "NOERROR ; 1st.default.svc. A 10.96.0.12"),
        Row("12.0.96.10.in-addr.arpa", .pointer, "NOERROR ; 12.0.96.10.in-addr.arpa PTR 1st.default.svc."),
        // A Service without an address exists.
        Row("later.default.svc.", .address, none), Row("_http._tcp.later.default.svc.", .service, absent),
        Row("no.default.svc.", .address, absent), Row("web.no.svc.", .address, absent),
        // 2.4: headless Services; endpoints in the order of their addresses.
        Row(
            "db.data.svc.",
            .address,
            "NOERROR ; db.data.svc. A 10.244.0.21 ; db.data.svc. A 10.244.0.22 ; db.data.svc. A 10.244.0.23"
                + " ; db.data.svc. A 172.16.0.9"
        ),
        Row("db-0.db.data.svc.", .address, "NOERROR ; db-0.db.data.svc. A 10.244.0.21"),
        Row("10-244-0-23.db.data.svc.", .address, "NOERROR ; 10-244-0-23.db.data.svc. A 10.244.0.23"),
        Row("10-244-0-21.db.data.svc.", .address, absent), Row("db-3.db.data.svc.", .address, absent),
        Row(
            "_sql._tcp.db.data.svc.",
            .service,
            "NOERROR ; _sql._tcp.db.data.svc. SRV 0 25 5432 db-0.db.data.svc."
                + " ; _sql._tcp.db.data.svc. SRV 0 25 5432 db-1.db.data.svc."
                + " ; _sql._tcp.db.data.svc. SRV 0 25 5432 10-244-0-23.db.data.svc."
                + " ; _sql._tcp.db.data.svc. SRV 0 25 5432 far.db.data.svc."
        ),
        Row("21.0.244.10.in-addr.arpa", .pointer, "NOERROR ; 21.0.244.10.in-addr.arpa PTR db-0.db.data.svc."),
        Row("9.0.16.172.in-addr.arpa", .pointer, "NOERROR ; 9.0.16.172.in-addr.arpa PTR far.db.data.svc."),
        Row("9.0.16.172.in-addr.arpa", .address, "NODATA | 9.0.16.172.in-addr.arpa SOA"),
        Row("10.0.16.172.in-addr.arpa", .pointer, "REFUSED"),
        Row("empty.data.svc.", .address, absent), Row("_sql._tcp.empty.data.svc.", .service, absent),
        Row(
            "early.data.svc.",
            .address,
            "NOERROR ; early.data.svc. A 10.244.0.31 ; early.data.svc. A 10.244.0.32"
        ),
        Row("zero.early.data.svc.", .address, "NOERROR ; zero.early.data.svc. A 10.244.0.31"),
        Row("10-244-0-32.early.data.svc.", .address, "NOERROR ; 10-244-0-32.early.data.svc. A 10.244.0.32"),
        Row("_x._tcp.early.data.svc.", .service, "NOERROR ; _x._tcp.early.data.svc. SRV 0 100 77 zero.early.data.svc."),
        Row("bare.old.svc.", .address, "NOERROR ; bare.old.svc. A 10.244.0.41"),
        // 2.5: external names; one of them has the name of a namespace (coredns#1228).
        Row("outside.default.svc.", .address, "NOERROR ; outside.default.svc. CNAME www.example.com"),
        Row("outside.default.svc.", .ipv6Address, "NOERROR ; outside.default.svc. CNAME www.example.com"),
        Row(
            "web.other.svc.",
            .address,
            "NOERROR ; web.other.svc. CNAME web.default.svc. ; web.default.svc. A 10.96.0.10"
        ),
        Row("default.other.svc.", .address, "NOERROR ; default.other.svc. CNAME example.com"),
        Row("default.svc.", .address, none), Row("x.default.other.svc.", .address, absent),
        // Pods, in namespaces that exist.
        Row("10-244-0-5.default.pod.", .address, "NOERROR ; 10-244-0-5.default.pod. A 10.244.0.5"),
        Row("10-244-0-5.pods-only.pod.", .address, "NOERROR ; 10-244-0-5.pods-only.pod. A 10.244.0.5"),
        Row("10-244-0-5.nowhere.pod.", .address, absent), Row("alone.pods-only.pod.", .address, absent),
        Row("pods-only.svc.", .address, none), Row("pods-only.pod.", .address, none),
        // What lies on the way exists; what lies elsewhere is not ours.
        Row("svc.", .address, none), Row("pod.", .address, none), Row("data.svc.", .address, none),
        Row("ns.dns.", .address, "NOERROR ; ns.dns. A 10.96.0.54"), Row("dns.", .address, none),
        Row("example.com", .address, "REFUSED"), Row("www.example.com", .address, "REFUSED"),
    ]

    @Test("each name has the records that the specification gives it", arguments: rows.indices)
    func specification(index: Int) throws {
        let row = Self.rows[index]
        #expect(try compile(testManifests).say(row.name, row.type) == row.answer, "\(row.name)")
    }

    @Test("the order of documents does not matter")
    func order() throws {
        let documents = testManifests.split(separator: "\n---\n").map(String.init)
        var generator = TestGenerator(seed: 4)
        for _ in 0..<5 {
            let table = try compile(documents.shuffled(using: &generator).joined(separator: "\n---\n"))
            for row in Self.rows { #expect(table.say(row.name, row.type) == row.answer, "\(row.name)") }
        }
    }

    @Test("a port of several endpoints, a name of several addresses")
    func sharedNames() throws {
        let table = try compile(
            """
            apiVersion: v1
            kind: Service
            metadata: {name: db}
            spec: {clusterIP: None, ports: [{name: a, port: 1}]}
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: db-1, labels: {kubernetes.io/service-name: db}}
            addressType: IPv4
            ports: [{name: a, port: 1}]
            endpoints: [{addresses: [10.244.0.2], hostname: x}, {addresses: [10.244.0.1], hostname: x}]
            ---
            apiVersion: discovery.k8s.io/v1
            kind: EndpointSlice
            metadata: {name: db-2, labels: {kubernetes.io/service-name: db}}
            addressType: IPv4
            ports: [{name: b, port: 2}]
            endpoints: [{addresses: [10.244.0.2], hostname: x}]
            """
        )
        #expect(
            table.say("db.default.svc.")
                == "NOERROR ; db.default.svc. A 10.244.0.1 ; db.default.svc. A 10.244.0.2"
        )
        #expect(
            table.say("x.db.default.svc.")
                == "NOERROR ; x.db.default.svc. A 10.244.0.1 ; x.db.default.svc. A 10.244.0.2"
        )
        #expect(
            table.say("_a._tcp.db.default.svc.", .service)
                == "NOERROR ; _a._tcp.db.default.svc. SRV 0 100 1 x.db.default.svc."
        )
        #expect(
            table.say("_b._tcp.db.default.svc.", .service)
                == "NOERROR ; _b._tcp.db.default.svc. SRV 0 100 2 x.db.default.svc."
        )
    }

    @Test("a circle of external names is answered, and ends")
    func circle() throws {
        let table = try compile(
            """
            apiVersion: v1
            kind: Service
            metadata: {name: a}
            spec: {type: ExternalName, externalName: b.default.svc.cluster.local}
            ---
            apiVersion: v1
            kind: Service
            metadata: {name: b}
            spec: {type: ExternalName, externalName: a.default.svc.cluster.local}
            """
        )
        #expect(table.say("a.default.svc.").hasPrefix("NOERROR ; a.default.svc. CNAME b.default.svc. ; b"))
    }

    @Test("another domain, other blocks; a domain that is none has no names")
    func settings() throws {
        var settings = testSettings
        settings.domain = "prod.example"
        settings.blocks = [IPv4Prefix(IPv4Address(10, 96, 0, 0), length: 26)]
        let table = try compile(testManifests, settings)
        #expect(table.say("web.default.svc.prod.example") == "NOERROR ; web.default.svc.prod.example A 10.96.0.10")
        #expect(table.say("web.default.svc.cluster.local") == "REFUSED")
        #expect(table.say("200.0.96.10.in-addr.arpa", .pointer) == "NXDOMAIN | 0.96.10.in-addr.arpa SOA")
        #expect(table.say("1.1.96.10.in-addr.arpa", .pointer) == "REFUSED")
        settings.domain = "a..b"
        #expect(try compile(testManifests, settings).nameCount == 0)
    }

    @Test("names take little memory: headless Services with ten endpoints each")
    func size() throws {
        let count = 10_000
        var items: [String] = []
        for number in 0..<count {
            let metadata = "\"name\":\"service-\(number)\",\"namespace\":\"ns-\(number % 50)\""
            items.append(
                "{\"apiVersion\":\"v1\",\"kind\":\"Service\",\"metadata\":{\(metadata)},"
                    + "\"spec\":{\"clusterIP\":\"None\",\"ports\":[{\"name\":\"http\",\"port\":80}]}}"
            )
            let endpoints = (0..<10).map { place in
                "{\"addresses\":[\"\(IPv4Address(bits: 0x0a80_0000 + UInt32(number * 10 + place)))\"]}"
            }
            items.append(
                "{\"apiVersion\":\"discovery.k8s.io/v1\",\"kind\":\"EndpointSlice\",\"metadata\":{\(metadata),"
                    + "\"labels\":{\"kubernetes.io/service-name\":\"service-\(number)\"}},\"addressType\":\"IPv4\","
                    + "\"ports\":[{\"name\":\"http\",\"port\":8080}],\"endpoints\":[\(endpoints.joined(separator: ","))]}"
            )
        }
        let list = "{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[\(items.joined(separator: ","))]}"
        let set = try load(list)
        let table = NameCompiler.compile(set, testSettings, seed: 1)
        // Of each Service three names, of each endpoint two, and four records.
        #expect(table.nameCount > count * 23 && table.recordCount >= count * 40)
        #expect(table.byteCount < table.nameCount * 80)
        #expect(
            table.say("service-999.ns-49.svc.").hasPrefix("NOERROR ; service-999.ns-49.svc. A 10.128.39.6 ;")
        )
    }
}
