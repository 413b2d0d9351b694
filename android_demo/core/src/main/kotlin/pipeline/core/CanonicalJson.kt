package pipeline.core

import java.math.BigDecimal
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive

/**
 * Writes JSON the one way that digests are taken of, as `pipeline.contract.hashing` does: sorted
 * keys, no spaces, ASCII only, floats as the shortest text that reads back to them.
 */
object CanonicalJson {
    private const val FIRST_PRINTABLE = ' '
    private const val LAST_PRINTABLE = '~'

    // Where Python writes a float with an exponent.
    private const val LOWEST_PLAIN = -4
    private const val HIGHEST_PLAIN = 16

    /** Returns the SHA-256 of the canonical text of [value]. */
    fun digest(value: JsonElement): String = Hash.of(text(value).toByteArray(Charsets.US_ASCII))

    /** Returns the canonical text of [value]. */
    fun text(value: JsonElement): String = StringBuilder().also { write(value, it) }.toString()

    private fun write(value: JsonElement, out: StringBuilder) {
        when (value) {
            is JsonObject -> value.entries.sortedBy { it.key }.joinTo(out, ",", "{", "}") { (key, one) ->
                quoted(key) + ":" + text(one)
            }
            is JsonArray -> value.joinTo(out, ",", "[", "]") { text(it) }
            JsonNull -> out.append("null")
            is JsonPrimitive -> out.append(if (value.isString) quoted(value.content) else literal(value.content))
        }
    }

    private fun literal(content: String): String {
        if (content == "true" || content == "false") return content
        return if (content.any { it in ".eE" }) float(content) else content
    }

    private fun float(content: String): String {
        val number = BigDecimal(content)
        if (number.signum() == 0) return if (content.startsWith("-")) "-0.0" else "0.0"
        val digits = number.stripTrailingZeros()
        val exponent = digits.precision() - digits.scale() - 1
        if (exponent in LOWEST_PLAIN until HIGHEST_PLAIN) {
            val plain = digits.toPlainString()
            return if ('.' in plain) plain else "$plain.0"
        }
        val all = digits.unscaledValue().abs().toString()
        val sign = if (number.signum() < 0) "-" else ""
        val fraction = if (all.length == 1) "" else "." + all.substring(1)
        val power = Math.abs(exponent).toString().padStart(2, '0')
        return "$sign${all[0]}${fraction}e${if (exponent < 0) "-" else "+"}$power"
    }

    private fun quoted(value: String): String = buildString {
        append('"')
        for (character in value) {
            when (character) {
                '"' -> append("\\\"")
                '\\' -> append("\\\\")
                '\n' -> append("\\n")
                '\r' -> append("\\r")
                '\t' -> append("\\t")
                '\b' -> append("\\b")
                '\u000c' -> append("\\f")
                in FIRST_PRINTABLE..LAST_PRINTABLE -> append(character)
                else -> append("\\u").append(character.code.toString(16).padStart(4, '0'))
            }
        }
        append('"')
    }
}
