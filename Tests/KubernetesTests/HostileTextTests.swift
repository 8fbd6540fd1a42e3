import Kubernetes
import Testing

@Suite("Hostile texts end in a message")
struct HostileTextTests {
    static let refused: [SpecCase] = [
        SpecCase("a: \(String(repeating: "[", count: 20_000))", "line 1: nested too deeply"),
        SpecCase("a: \(String(repeating: "[", count: 200))", "line 1, column 131: nested deeper than 128 levels"),
        SpecCase(String(repeating: "- ", count: 20_000), "nested deeper than 128 levels"),
        SpecCase("{\"a\":\(String(repeating: "[", count: 20_000))", "nested deeper than 128 levels"),
        SpecCase(
            "a: &a [x,x,x,x,x,x,x,x,x]\n"
                + zip("bcdefghij", "abcdefghi").map { new, old in
                    "\(new): &\(new) [\(Array(repeating: "*\(old)", count: 9).joined(separator: ","))]\n"
                }.joined(),
            "aliases stand for more than 100000 values"
        ),
        SpecCase(
            "x: &x \(String(repeating: "A", count: 20_000))\ny: [\(String(repeating: "*x,", count: 20_000))]",
            "MiB of text"
        ),
        SpecCase(
            "apiVersion: v1\nmetadata: &m\n  labels: *m\n",
            "line 3, column 11: the alias \"m\" stands inside its own anchor"
        ),
        SpecCase("kind: Service\nmetadata: *nope\n", "line 2, column 11: the anchor \"nope\" is not defined"),
        SpecCase("a: 1\nb: {c: 1, c: 2}\n", "line 2, column 11: the key \"c\" is duplicated"),
        SpecCase("{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}", "the key \"c\" is duplicated"),
        SpecCase("a: b\0", "line 1: the text has a NUL byte"),
        SpecCase("a: \"x\u{07}\"", "control characters are not allowed"),
        SpecCase("kind: Service\nmetadata: {name: web\nspec:\n  ports: []\n", "line 3"),
        SpecCase("? [a]\n: b\n", "a key must be a plain text"),
        SpecCase((0..<100).map { "%TAG !a\($0)! tag:x\n" }.joined() + "---\na: b\n", "more than 64 directives"),
        SpecCase("- a\n- b\n", "document 1: a list is not an object"),
        SpecCase(
            "apiVersion: v1\nkind: !!binary U2VydmljZQ==\n",
            "kind: a value with a tag that is not read is not a string"
        ),
        SpecCase("apiVersion: v1\nmetadata: {name: web}\n", "kind: is missing"),
        SpecCase("apiVersion: v1\nkind: Servise\n", "kind: \"Servise\" is not a known kind; did you mean Service?"),
        SpecCase("apiVersion: v2\nkind: Service\n", "apiVersion: \"v2\" is not v1, the version of Service"),
        SpecCase(
            "apiVersion: v1\nkind: List\nitems: [{apiVersion: v1, kind: List, items: []}]\n",
            "a List inside a List"
        ),
        SpecCase("apiVersion: v1\nkind: Service\nmetadata: []\n", "metadata: a list is not a mapping"),
    ]

    @Test("is refused", arguments: refused)
    func refuses(_ text: SpecCase) {
        let outcome = Outcome(text.spec)
        #expect(outcome.faults.contains { $0.contains(text.message) }, "\(outcome.faults.prefix(3))")
    }

    @Test("UTF-16 and broken UTF-8 are refused, a UTF-8 mark is read over")
    func encodings() {
        let units: [UInt8] = plainService.utf16.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] }
        let utf16: [UInt8] = [0xff, 0xfe] + units
        #expect(Outcome([("a.yaml", utf16)]).faults == ["a.yaml: the text is UTF-16 or UTF-32; only UTF-8 is read"])
        #expect(
            Outcome([("a.yaml", [0x61, 0x0a, 0xff])]).faults == ["a.yaml: document 1: line 2: the text is not UTF-8"]
        )
        for text in [plainService, "{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\"}"] {
            #expect(Outcome([("a.yaml", [0xef, 0xbb, 0xbf] + text.utf8)]).faults == [])
        }
    }

    @Test("limits hold for size, values and keys")
    func limits() {
        var limits = ReadingLimits()
        limits.bytes = 1 << 20
        limits.nodes = 1000
        #expect(
            Outcome(String(repeating: "#", count: 1 << 21), limits: limits).faults == [
                "web.yaml: larger than the limit of 1 MiB"
            ]
        )
        let values = Outcome("a: [\(String(repeating: "x,", count: 2000))]", limits: limits)
        #expect(values.faults.contains { $0.contains("more than 1000 values") })
        limits.keys = 200
        let keys = Outcome((0..<300).map { "k\($0): 1\n" }.joined(), limits: limits)
        #expect(keys.faults.contains { $0.contains("more than 200 different keys") })
    }

    @Test("a flood of comments is no harm")
    func comments() {
        let text = String(repeating: "# nothing to see here\n", count: 50_000) + plainService
        #expect(Outcome(text).set?.services.count == 1)
    }

    @Test("anchors, aliases and merge keys within the limits are read")
    func aliases() throws {
        let text = """
            x: &port {port: 80, targetPort: 8080}
            apiVersion: v1
            kind: Service
            metadata: {name: &n web, labels: {app: *n}}
            spec: {clusterIP: 10.96.0.10, ports: [{<<: *port, targetPort: 81}]}
            """
        let service = try #require(Outcome(text).set?.services.first)
        #expect(service.metadata.labels == ["app": "web"])
        #expect(service.ports[0].port == 80 && service.ports[0].targetPort == .number(81))
        #expect(Outcome(text).warnings == ["web.yaml: document 1: x: unknown field"])
    }

    @Test("texts cut or changed anywhere never trap", arguments: 0..<40)
    func mutations(_ seed: UInt64) {
        let whole = Array(
            "\(plainService)---\n\(slice(endpoints: "[{addresses: [10.244.1.1], hints: {forZones: [{name: z}]}}]"))"
                .utf8
        )
        let json = Array(
            #"{"apiVersion":"v1","kind":"List","items":[{"a":"\u00e4\ud83d\ude00\n","b":[1,-2.5e3,null,true]}]}"#.utf8
        )
        var state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
        func random(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
        for text in [whole, json] {
            for _ in 0..<40 {
                var changed = text
                for _ in 0...random(4) { changed[random(changed.count)] = UInt8(random(256)) }
                let outcome = Outcome([("a.yaml", Array(changed.prefix(random(changed.count) + 1)))])
                #expect(outcome.set != nil || !outcome.faults.isEmpty)
            }
        }
    }
}
