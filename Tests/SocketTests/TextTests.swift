import Control
import Testing

@Suite("Answers as text")
struct TextTests {
    private func value(_ text: String) throws -> JSONValue { try #require(JSONParser.parse(Array(text.utf8))) }

    private let flow = """
        {"flow":7,"protocol":"tcp","state":"ESTABLISHED","replied":true,"expiresSeconds":86399,\
        "source":"203.0.113.2:40001","destination":"192.0.2.10:30080","translatedSource":"192.0.2.10:50001",\
        "translatedDestination":"10.244.0.11:8080","identifier":null,"translatedIdentifier":null,\
        "service":"default/web:http","frontend":"NodePort","backend":"10.244.0.11:8080","masquerade":true,\
        "interface":"uplink","egress":"pods","packets":3,"bytes":180,"replyPackets":2,"replyBytes":120}
        """

    @Test("a flow as conntrack(8) prints it")
    func line() throws {
        #expect(
            ConntrackLine.text(try value(flow), isWide: false)
                == "tcp      6 86399 ESTABLISHED src=203.0.113.2 dst=192.0.2.10 sport=40001 dport=30080 src=10.244.0.11 "
                + "dst=192.0.2.10 sport=8080 dport=50001 [ASSURED] service=default/web:http"
        )
        #expect(
            ConntrackLine.text(try value(flow), isWide: true)
                == "tcp      6 86399 ESTABLISHED src=203.0.113.2 dst=192.0.2.10 sport=40001 dport=30080 packets=3 bytes=180 "
                + "src=10.244.0.11 dst=192.0.2.10 sport=8080 dport=50001 packets=2 bytes=120 [ASSURED] "
                + "service=default/web:http frontend=NodePort masquerade=true interface=uplink egress=pods flow=7"
        )
    }

    @Test("UDP without a reply and a ping as conntrack(8) prints them")
    func otherLines() throws {
        let udp = """
            {"flow":1,"protocol":"udp","state":"UNREPLIED","replied":false,"expiresSeconds":29,"source":"10.0.0.1:5",\
            "destination":"10.0.0.2:53","translatedSource":"10.0.0.1:5","translatedDestination":"10.0.0.2:53",\
            "identifier":null,"service":null}
            """
        #expect(
            ConntrackLine.text(try value(udp), isWide: false)
                == "udp      17 29 src=10.0.0.1 dst=10.0.0.2 sport=5 dport=53 [UNREPLIED] src=10.0.0.2 dst=10.0.0.1 sport=53 "
                + "dport=5"
        )
        let ping = """
            {"flow":1,"protocol":"icmp","state":"ICMP","replied":true,"expiresSeconds":29,"source":"10.0.0.1",\
            "destination":"10.0.0.2","translatedSource":"10.0.0.3","translatedDestination":"10.0.0.2",\
            "identifier":9,"translatedIdentifier":10,"service":null}
            """
        #expect(
            ConntrackLine.text(try value(ping), isWide: false)
                == "icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=9 src=10.0.0.2 dst=10.0.0.3 type=0 code=0 id=10"
        )
    }

    @Test("Services have kubectl's columns")
    func services() throws {
        let services = try value(
            """
            [{"namespace":"a","name":"one","type":"LoadBalancer","clusterIP":"10.96.0.1","loadBalancerIPs":[],\
            "externalIPs":[],"ports":[{"port":80,"nodePort":30080,"protocol":"tcp"},{"port":53,"protocol":"udp"}]},\
            {"namespace":"a","name":"two","type":"ExternalName","clusterIP":null,"externalName":"example.org","ports":[]}]
            """
        )
        let table = ResourceTable(.services, isWide: false)
        #expect(
            table.text(services.elements, hasHeader: true) == """
                NAMESPACE   NAME   TYPE           CLUSTER-IP   EXTERNAL-IP   PORT(S)
                a           one    LoadBalancer   10.96.0.1    <pending>     80:30080/TCP,53/UDP
                a           two    ExternalName   <none>       example.org   <none>

                """
        )
        #expect(table.text(services.elements, hasHeader: false).hasPrefix("a   one   LoadBalancer"))
        #expect(table.text([], hasHeader: true).isEmpty)
    }

    @Test("endpoints that are not used are left out unless all are asked for")
    func endpoints() throws {
        let one = try value(
            """
            {"namespace":"a","name":"b","service":"a/b:c","endpoints":[\
            {"backend":"1.1.1.1:1","local":true,"ready":true,"terminating":false,"inUse":true},\
            {"backend":"1.1.1.2:1","local":false,"ready":false,"terminating":false,"inUse":false},\
            {"backend":"1.1.1.3:1","local":false,"ready":false,"terminating":true,"inUse":false},\
            {"backend":"1.1.1.4:1","local":false,"ready":true,"terminating":false,"inUse":false}]}
            """
        )
        #expect(
            ResourceTable(.endpoints, isWide: false).text([one], hasHeader: false) == "a   b   a/b:c   1.1.1.1:1*\n"
        )
        #expect(
            ResourceTable(.endpoints, isWide: true).text([one], hasHeader: false)
                == "a   b   a/b:c   1.1.1.1:1*,1.1.1.2:1(not ready),1.1.1.3:1(terminating),1.1.1.4:1(not in use)\n"
        )
    }

    @Test("drops and counters show what is not zero, or all")
    func zeros() throws {
        let drops = try value(
            #"[{"reason":"land","packets":0,"bytes":0,"meaning":"x"},{"reason":"no_route","packets":2,"bytes":3000,"meaning":"y"}]"#
        ).elements
        #expect(
            ResourceTable(.drops, isWide: false).text(drops, hasHeader: false) == "no_route   2   2.9 KiB   y\n"
        )
        #expect(ResourceTable(.drops, isWide: true).text(drops, hasHeader: false).contains("land"))
    }

    @Test(
        "bytes with their unit",
        arguments: zip(
            [0, 1023, 1024, 1536, 10 << 20, 5 << 40, Int.max],
            [
                "0 B", "1023 B", "1.0 KiB", "1.5 KiB", "10.0 MiB", "5.0 TiB", "819.1 PiB",
            ]
        )
    )
    func byteCounts(count: Int, text: String) { #expect(ByteCount.text(count) == text) }

    @Test("YAML in block style, strings in quotes where they could be something else")
    func yaml() throws {
        let document = try value(
            #"{"items":[{"name":"web","ip":"10.0.0.1","yes":"no","n":null,"list":[1,[2,{"a":"b:c"}],[]],"empty":{}}]}"#
        )
        #expect(
            YAMLWriter.text(document) == """
                items:
                - name: web
                  ip: "10.0.0.1"
                  "yes": "no"
                  "n": null
                  list:
                  - 1
                  - - 2
                    - a: "b:c"
                  - []
                  empty: {}

                """
        )
    }

    @Test("flows are sorted by their number, clients by their address")
    func order() {
        let flows = [10, 9, 100].map { Array("{\"flow\":\($0),\"x\":1}".utf8) }
        #expect(
            ControlResource.conntrack.sorted(flows).map { String(decoding: $0, as: UTF8.self) } == [
                #"{"flow":9,"x":1}"#, #"{"flow":10,"x":1}"#, #"{"flow":100,"x":1}"#,
            ]
        )
        let clients = ["10.0.0.9", "10.0.0.10"].map { Array("{\"client\":\"\($0)\"}".utf8) }
        #expect(ControlResource.affinity.sorted(clients.reversed()) == clients)
    }

    @Test("a list is taken apart wherever its bytes are cut, and is complete only with its end", arguments: 1...40)
    func items(size: Int) {
        let text = Array("{\"items\":[\n{\"a\":1},\n{\"b\":[2]}\n]}\n".utf8)
        var reader = ItemReader()
        var rest = text[...]
        while !rest.isEmpty {
            #expect(!reader.isComplete)
            reader.read(Array(rest.prefix(size)))
            rest = rest.dropFirst(size)
        }
        #expect(reader.isComplete && !reader.isDamaged)
        #expect(reader.items.map { String(decoding: $0, as: UTF8.self) } == [#"{"a":1}"#, #"{"b":[2]}"#])
        reader.read([10])
        #expect(reader.isDamaged)
    }
}
