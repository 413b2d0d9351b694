package pipeline.core

import java.io.File
import java.nio.file.Path
import kotlin.test.Test
import kotlin.test.assertEquals
import kotlin.test.assertFailsWith
import kotlin.test.assertTrue
import kotlinx.serialization.json.Json
import org.junit.jupiter.api.DynamicTest
import org.junit.jupiter.api.TestFactory
import org.junit.jupiter.api.io.TempDir

class BundleTest {
    @TempDir
    lateinit var folder: Path

    private fun open(bundle: File) = Bundle.open(FolderFiles(bundle), NEWEST)

    @Test
    fun `the whole bundle is proven`() {
        val bundle = open(BrokenBundle.BUNDLE)
        assertTrue(bundle.proven)
        assertEquals(listOf("RED", "GREEN", "BLUE"), bundle.description.labels.names)
    }

    @TestFactory
    fun `a broken bundle is refused for the reason of the table`(): List<DynamicTest> {
        val cases = BrokenBundle.all().filter { it.app }
        assertTrue(cases.size >= FEWEST_CASES)
        return cases.mapIndexed { i, case ->
            DynamicTest.dynamicTest(case.name) {
                val refusal = assertFailsWith<Refusal> { open(case.make(folder.resolve("$i").toFile())) }
                assertEquals(case.reason, refusal.reason)
                assertEquals(case.sentence, refusal.message)
            }
        }
    }

    @Test
    fun `what only the gates can tell is left to pipeline verify`() {
        for ((i, case) in BrokenBundle.all().filterNot { it.app }.withIndex()) {
            try {
                open(case.make(folder.resolve("other-$i").toFile()))
            } catch (refusal: Refusal) {
                // Core may refuse it too, in words of its own; it must not crash.
                assertTrue(refusal.message.orEmpty().endsWith("."), case.name)
            }
        }
    }

    @Test
    fun `canonical JSON is Python's`() {
        fun canonical(text: String) = CanonicalJson.text(Json.parseToJsonElement(text))
        // json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        val expected = mapOf(
            """{"b": 1, "a": [true, null, -2]}""" to """{"a":[true,null,-2],"b":1}""",
            "[0.01, 1e-5, 1.5e-7, 127.5, 255.0, -0.0, 1e16, 123456789.25]" to
                "[0.01,1e-05,1.5e-07,127.5,255.0,-0.0,1e+16,123456789.25]",
            "[0.0001, 1e15, 0.00390625, 5e-324, 1.7976931348623157e308]" to
                "[0.0001,1000000000000000.0,0.00390625,5e-324,1.7976931348623157e+308]",
            "\"\\u00fc \\ud83d\\ude00 \\\" \\\\ \\n \\u007f\"" to "\"\\u00fc \\ud83d\\ude00 \\\" \\\\ \\n \\u007f\"",
        )
        for ((text, wanted) in expected) assertEquals(wanted, canonical(text))
    }

    @Test
    fun `the exact McNemar test is Python's`() {
        // pipeline.parity.statistics.mcnemar_exact
        assertEquals(1.0, McNemar.exact(0, 0))
        assertEquals(0.5, McNemar.exact(0, 2))
        assertEquals(0.021484375, McNemar.exact(1, 9), 1e-12)
        assertEquals(1.0, McNemar.exact(7, 7))
    }

    private companion object {
        const val NEWEST = "2.16.1"
        const val FEWEST_CASES = 40
    }
}
