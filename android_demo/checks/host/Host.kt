package pipeline.host

import java.io.File
import kotlin.system.exitProcess
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.put
import pipeline.core.Bundle
import pipeline.core.Classifier
import pipeline.core.FolderFiles
import pipeline.core.Outcome
import pipeline.core.Refusal
import pipeline.core.SelfTest
import pipeline.demo.InterpreterEngine

/** Runs the app's core on a JVM: `record REQUEST RESULT`, or `selftest BUNDLE [RECORDING]`. */
fun main(args: Array<String>) {
    val code = when {
        args.size == 3 && args[0] == "record" -> record(File(args[1]), File(args[2]))
        args.size in 2..3 && args[0] == "selftest" -> selfTest(File(args[1]), args.getOrNull(2)?.let(::File))
        else -> {
            System.err.println("usage: HostKt record REQUEST RESULT | selftest BUNDLE [RECORDING]")
            2
        }
    }
    exitProcess(code)
}

private fun record(request: File, result: File): Int {
    val (answer, code) = try {
        Record.parse(request).run() to 0
    } catch (refusal: Refusal) {
        buildJsonObject { put("error", refusal.message) } to 2
    }
    val temporary = File(result.path + ".tmp")
    temporary.writeText(answer.toString())
    check(temporary.renameTo(result)) { "cannot write $result" }
    return code
}

private fun selfTest(folder: File, recording: File?): Int {
    val files = FolderFiles(folder)
    try {
        // The promised runtime is the app's own affair; here the library itself refuses operators.
        val bundle = Bundle.open(files, runtimeVersion = ANY_RUNTIME)
        Classifier(bundle.description, InterpreterEngine(bundle.model, THREADS), ImageIoDecoder()).use { classifier ->
            val report = SelfTest(bundle, classifier, files, "JVM ${System.getProperty("os.arch")}").run { _, _ -> }
            for (result in report.results) println("${if (result.passed) "pass" else "FAIL"}  ${result.file}: ${result.sentence}")
            println(report.sentence)
            report.latencyMsP50?.let { println("p50 %.1f ms, p90 %.1f ms".format(it, report.latencyMsP90)) }
            report.recording?.let { recording?.writeText(it) }
            return when (report.outcome) {
                Outcome.PASS -> 0
                Outcome.FAIL -> 1
                Outcome.NOTHING_TO_CHECK -> 4
            }
        }
    } catch (refusal: Refusal) {
        System.err.println(refusal.message)
        return 1
    }
}

private const val THREADS = 2
private const val ANY_RUNTIME = "999.0"
