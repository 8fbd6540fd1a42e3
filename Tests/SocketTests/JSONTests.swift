import Control
import TestSupport
import Testing

@Suite("JSON")
struct JSONTests {
    private func parse(_ text: String) -> JSONValue? { JSONParser.parse(Array(text.utf8)) }

    @Test(
        "documents come back as they were",
        arguments: [
            "null", "true", "[]", "{}", "-12", "0", #""""#, #"{"a":[1,{"b":null},"c"],"d":false}"#, #""é☃𝄞""#,
            #"{"b":1,"a":2}"#, "9223372036854775807",
        ]
    )
    func roundTrip(text: String) throws {
        let value = try #require(parse(text))
        #expect(value.line == Array((text + "\n").utf8))
    }

    @Test("escapes")
    func escapes() {
        #expect(parse(#""\"\\\/\b\f\n\r\t\u0041\u00e9\ud834\udd1e""#)?.string == "\"\\/\u{8}\u{c}\n\r\tAé𝄞")
    }

    @Test(
        "what is no JSON is nil",
        arguments: [
            "", " ", "nul", "truth", "[", "]", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "{\"a\":1,}", "\"", "\"\u{1}\"",
            #""\x""#, #""\u12""#, #""\ud834""#, #""\ud834\u0041""#, #""\udd1e""#, "01", "-", "1.5", "1e5", "+1",
            "9223372036854775808", "1 2", "[1 2]", "{}{}",
        ]
    )
    func refused(text: String) { #expect(parse(text) == nil) }

    @Test("64 levels are read, 65 and a million are not")
    func depth() {
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(parse(nested(64)) != nil)
        #expect(parse(nested(65)) == nil)
        #expect(parse(String(repeating: "[", count: 1_000_000)) == nil)
        #expect(parse(String(repeating: "{\"a\":", count: 1_000_000)) == nil)
    }

    @Test("arbitrary bytes end with a value or with nil", arguments: 0..<50)
    func arbitrary(seed: Int) {
        var generator = TestGenerator(seed: seed)
        let alphabet = Array("{}[]\",:\\u0123tfn \u{1}é".utf8)
        for _ in 0..<200 {
            let count = Int.random(in: 0...40, using: &generator)
            let bytes = (0..<count).map { _ in alphabet[Int.random(in: 0..<alphabet.count, using: &generator)] }
            guard let value = JSONParser.parse(bytes) else { continue }
            #expect(JSONParser.parse(value.line)?.line == value.line)
        }
    }
}
