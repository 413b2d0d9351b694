package pipeline.host

import java.io.DataInputStream
import java.io.EOFException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import pipeline.core.Engine
import pipeline.core.Refusal

/**
 * Runs the model in a process of its own, for a library of another processor under emulation.
 *
 * Protocol: the process writes one line of JSON (runtime_version, input_bytes, output_bytes);
 * then for each input tensor on its standard input it writes the latency in ms, a little-endian
 * double, and the output tensor.
 */
class ProcessEngine(command: List<String>, override val threads: Int) : Engine {
    private val process = ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start()
    private val answers = DataInputStream(process.inputStream.buffered())
    private val outputBytes: Int
    override val runtimeVersion: String

    /** How long the last inference took inside the process, in milliseconds. */
    var latencyMs: Double = Double.NaN
        private set

    init {
        val header = line()
        if (header.isEmpty()) throw Refusal("The model file cannot be read: the engine ended with code ${process.waitFor()}.")
        val fields = Json.parseToJsonElement(header).jsonObject
        runtimeVersion = fields.getValue("runtime_version").jsonPrimitive.content
        outputBytes = fields.getValue("output_bytes").jsonPrimitive.content.toInt()
    }

    override fun run(input: ByteBuffer): ByteBuffer {
        val bytes = ByteArray(input.remaining()).also { input.duplicate().get(it) }
        process.outputStream.write(bytes)
        process.outputStream.flush()
        val output = ByteArray(outputBytes)
        try {
            val latency = ByteArray(Double.SIZE_BYTES).also(answers::readFully)
            latencyMs = ByteBuffer.wrap(latency).order(ByteOrder.LITTLE_ENDIAN).getDouble()
            answers.readFully(output)
        } catch (error: EOFException) {
            throw Refusal("The engine ended with code ${process.waitFor()} while it answered.", error)
        }
        return ByteBuffer.allocateDirect(outputBytes).order(ByteOrder.nativeOrder()).put(output).apply { rewind() }
    }

    override fun close() {
        process.outputStream.close()
        process.waitFor()
    }

    private fun line(): String {
        val text = StringBuilder()
        while (true) {
            val next = answers.read()
            if (next < 0 || next == '\n'.code) return text.toString()
            text.append(next.toChar())
        }
    }
}
