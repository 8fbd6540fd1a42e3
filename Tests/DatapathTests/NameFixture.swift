import Datapath
import TestSupport
import Wire

/// A zone with names of every kind, and what is answered for them.
enum NameFixture {
    static func table() -> NameTable {
        var builder = NameTableBuilder(seed: 3)
        addZones(&builder)
        addServices(&builder)
        addAliases(&builder)
        return builder.finish()
    }

    private static func addZones(_ builder: inout NameTableBuilder) {
        let server = builder.path("ns.dns.cluster.local") ?? 0
        let mailbox = builder.mention("hostmaster.cluster.local") ?? 0
        for text in ["cluster.local", "96.10.in-addr.arpa"] {
            if let zone = builder.path(text) { builder.makeZone(zone, server: server, mailbox: mailbox) }
        }
        builder.add(.address(World.dns), to: server)
        if let text = DNSLabel("1.1.0"), let name = builder.path("dns-version.cluster.local") {
            builder.add(.text(text), to: name)
        }
        if let pods = builder.path("default.pod.cluster.local") { builder.servePods(below: pods) }
    }

    private static func addServices(_ builder: inout NameTableBuilder) {
        guard let namespace = builder.path("default.svc.cluster.local"),
            let web = builder.name("web", below: namespace),
            let port = builder.path("_http._tcp", below: web), let reverse = builder.path("11.0.96.10.in-addr.arpa"),
            let database = builder.name("db", below: namespace), let sql = builder.path("_pg._tcp", below: database),
            let many = builder.name("many", below: namespace)
        else { return }
        builder.add(.address(World.vip), to: web)
        builder.add(.pointer(web), to: reverse)
        builder.add(.service(port: 80, target: web), to: port)
        for number in UInt8(0)..<3 {
            guard let endpoint = builder.name("db-\(number)", below: database) else { return }
            let address = IPv4Address(10, 244, 1, number)
            builder.add(.address(address), to: database)
            builder.add(.address(address), to: endpoint)
            builder.add(.service(port: 5432, target: endpoint), to: sql)
        }
        for number in 0..<5000 { builder.add(.address(IPv4Address(bits: 0x0af4_0000 + UInt32(number))), to: many) }
    }

    private static func addAliases(_ builder: inout NameTableBuilder) {
        let targets = [
            ("far", "www.example.com"), ("near", web), ("twice", "near.default.svc.cluster.local"),
            ("gone", "no.default.svc.cluster.local"), ("pod", "10-244-0-5.default.pod.cluster.local"),
            ("a", "b.default.svc.cluster.local"), ("b", "a.default.svc.cluster.local"),
        ]
        for (label, text) in targets {
            guard let name = builder.path("\(label).default.svc.cluster.local"), let target = builder.mention(text)
            else {
                return
            }
            builder.add(.alias(target), to: name)
        }
    }

    struct Row: Sendable {
        var name: String
        var type: DNSRecordType
        var summary: String
        init(_ name: String, _ type: DNSRecordType, _ summary: String) {
            (self.name, self.type, self.summary) = (name, type, summary)
        }
    }

    private static let none = "NODATA | cluster.local SOA"
    private static let absent = "NXDOMAIN | cluster.local SOA"
    static let web = "web.default.svc.cluster.local"

    static let rows: [Row] = [
        Row(web, .address, "NOERROR ; \(web) A 10.96.0.11"),
        Row(web, .ipv6Address, none), Row(web, .text, none), Row(web, .service, none), Row(web, .nameServer, none),
        Row(web, .pointer, none), Row(web, .options, none), Row(web, DNSRecordType(rawValue: 65), none),
        Row(web, DNSRecordType(rawValue: 65535), none),
        Row(web, .any, "NOERROR ; \(web) A 10.96.0.11"),
        Row(web, .transfer, "REFUSED"), Row(web, .incrementalTransfer, "REFUSED"),
        Row("WEB.Default.sVc.CLUSTER.local", .address, "NOERROR ; WEB.Default.sVc.CLUSTER.local A 10.96.0.11"),
        Row("_http._tcp.\(web)", .service, "NOERROR ; _http._tcp.\(web) SRV 0 100 80 \(web)"),
        Row("_tcp.\(web)", .service, none), Row("_tcp.\(web)", .address, none),
        Row("_https._tcp.\(web)", .service, absent), Row("_http._udp.\(web)", .service, absent),
        Row("no.default.svc.cluster.local", .address, absent), Row("x.\(web)", .address, absent),
        Row("default.svc.cluster.local", .address, none), Row("svc.cluster.local", .address, none),
        Row("pod.cluster.local", .address, none), Row("default.pod.cluster.local", .address, none),
        Row("other.svc.cluster.local", .address, absent), Row("cluster.local", .address, none),
        Row("cluster.local", .nameServer, "NOERROR ; cluster.local NS ns.dns.cluster.local"),
        Row(
            "cluster.local",
            .startOfAuthority,
            "NOERROR ; cluster.local SOA ns.dns.cluster.local hostmaster.cluster.local"
        ),
        Row("cluster.local", .any, "NOERROR ; cluster.local SOA ns.dns.cluster.local hostmaster.cluster.local"),
        Row("ns.dns.cluster.local", .address, "NOERROR ; ns.dns.cluster.local A 10.96.0.54"),
        Row("hostmaster.cluster.local", .address, absent),
        Row("dns-version.cluster.local", .text, "NOERROR ; dns-version.cluster.local TXT 1.1.0"),
        Row(
            "10-244-0-5.default.pod.cluster.local",
            .address,
            "NOERROR ; 10-244-0-5.default.pod.cluster.local A 10.244.0.5"
        ),
        Row(
            "10-244-0-5.default.pod.cluster.local",
            .any,
            "NOERROR ; 10-244-0-5.default.pod.cluster.local A 10.244.0.5"
        ),
        Row("10-244-0-5.default.pod.cluster.local", .ipv6Address, none),
        Row("10-244-0-256.default.pod.cluster.local", .address, absent),
        Row("10-244-0.default.pod.cluster.local", .address, absent),
        Row("10-244-0-05.default.pod.cluster.local", .address, absent),
        Row("10-244-0-5-6.default.pod.cluster.local", .address, absent),
        Row("10--0-5.default.pod.cluster.local", .address, absent),
        Row("x.10-244-0-5.default.pod.cluster.local", .address, absent),
        Row("10-244-0-5.other.pod.cluster.local", .address, absent),
        Row("11.0.96.10.in-addr.arpa", .pointer, "NOERROR ; 11.0.96.10.in-addr.arpa PTR \(web)"),
        Row("12.0.96.10.in-addr.arpa", .pointer, "NXDOMAIN | 96.10.in-addr.arpa SOA"),
        Row("0.96.10.in-addr.arpa", .pointer, "NODATA | 96.10.in-addr.arpa SOA"),
        Row("1.0.97.10.in-addr.arpa", .pointer, "REFUSED"), Row("10.in-addr.arpa", .pointer, "REFUSED"),
        Row("far.default.svc.cluster.local", .address, "NOERROR ; far.default.svc.cluster.local CNAME www.example.com"),
        Row("far.default.svc.cluster.local", .alias, "NOERROR ; far.default.svc.cluster.local CNAME www.example.com"),
        Row("far.default.svc.cluster.local", .any, "NOERROR ; far.default.svc.cluster.local CNAME www.example.com"),
        Row("x.far.default.svc.cluster.local", .address, absent),
        Row(
            "near.default.svc.cluster.local",
            .address,
            "NOERROR ; near.default.svc.cluster.local CNAME \(web) ; \(web) A 10.96.0.11"
        ),
        Row(
            "near.default.svc.cluster.local",
            .ipv6Address,
            "NOERROR ; near.default.svc.cluster.local CNAME \(web) | cluster.local SOA"
        ),
        Row(
            "twice.default.svc.cluster.local",
            .address,
            "NOERROR ; twice.default.svc.cluster.local CNAME near.default.svc.cluster.local"
                + " ; near.default.svc.cluster.local CNAME \(web) ; \(web) A 10.96.0.11"
        ),
        Row(
            "gone.default.svc.cluster.local",
            .address,
            "NXDOMAIN ; gone.default.svc.cluster.local CNAME no.default.svc.cluster.local | cluster.local SOA"
        ),
        Row(
            "pod.default.svc.cluster.local",
            .address,
            "NOERROR ; pod.default.svc.cluster.local CNAME 10-244-0-5.default.pod.cluster.local"
                + " ; 10-244-0-5.default.pod.cluster.local A 10.244.0.5"
        ),
        Row("example.com", .address, "REFUSED"), Row("www.example.com", .address, "REFUSED"),
        Row("", .address, "REFUSED"), Row("local", .address, "REFUSED"), Row("com", .address, "REFUSED"),
    ]
}
