package pipeline.core

import java.math.BigDecimal
import java.math.BigInteger
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

/**
 * Judges a recorded verdict again, from nothing but what it records, by the rules of
 * `pipeline.parity.comparison`. What needs the gates themselves is left to `pipeline verify`.
 */
internal class RecordedVerdict(root: JsonObject) {
    val outcome: String = root.text("outcome")
    val inputs: JsonObject = root.part("inputs")
    val candidateSha256: String = root.part("candidate").text("model_sha256")
    val referenceSha256: String = root.part("reference").text("model_sha256")
    private val checks = root.getValue("checks").jsonArray.map { Check(it.jsonObject) }
    private val unlabelled = (root.part("figures").optional("notes") as? JsonArray).orEmpty().any {
        it is JsonObject && it.optional("kind") == JsonPrimitive("accuracy_not_proven")
    }

    init {
        require(outcome == overall()) { "the outcome does not follow from the checks" }
    }

    /** Refuses a check whose outcome its own data contradict, and a verdict that is no pass. */
    fun refuseUnlessPassed() {
        for (check in checks) {
            if (check.judged != check.outcome) {
                throw Refusal(
                    "The verdict contradicts its own data: ${check.name} is recorded as ${check.outcome} " +
                        "and comes to ${check.judged}.",
                    Reason.OUTCOMES_FOLLOW,
                )
            }
        }
        if (outcome != PASS) {
            throw Refusal("The model is not proven: its verdict is $outcome, not $PASS.", Reason.VERDICT_PASSED)
        }
    }

    /** Refuses a verdict that lacks what every one has: each gate, and each of the [critical] classes. */
    fun refuseUnlessComplete(critical: List<String>) {
        val asked = if (unlabelled) emptyList() else critical.map { "$RECALL_DROP:$it" }
        val names = checks.map { it.name }
        val missing = (ALWAYS + asked).firstOrNull { it !in names } ?: return
        throw Refusal("The verdict's checks are not those of its gates: $missing is missing.", Reason.CHECKS_COMPLETE)
    }

    private fun overall(): String {
        val outcomes = checks.map { it.outcome }
        return when {
            outcomes.isEmpty() || FAIL in outcomes -> FAIL
            INCONCLUSIVE in outcomes -> INCONCLUSIVE
            else -> PASS
        }
    }

    private class Check(record: JsonObject) {
        val name = record.text("name")
        val outcome = record.text("outcome").also { require(it in OUTCOMES) { "$it is no outcome" } }
        private val value = record.optional("value")?.let(::decimal)
        private val threshold = record.optional("threshold")?.let(::decimal)
        private val comparison = record.text("comparison")
        private val evidence = record.part("evidence")
        private val kind = evidence.text("kind")
        val judged = judge()

        private fun judge(): String {
            if (staysOpen()) return INCONCLUSIVE
            val passed = withinThreshold()
                ?: if (kind == COMPARISON) isExpected() else return INCONCLUSIVE
            return if (passed || isExcused()) PASS else FAIL
        }

        private fun staysOpen(): Boolean {
            if (kind == "not_measured") return true
            val reason = evidence.optional("undecided") ?: return false
            val found = (reason as? JsonObject)?.let { whole(it, "found") }
            val needed = (reason as? JsonObject)?.let { whole(it, "needed") }
            return found == null || needed == null || found < needed
        }

        private fun withinThreshold(): Boolean? {
            if (value == null || threshold == null) return null
            return when (comparison) {
                "<=" -> value <= threshold
                ">=" -> value >= threshold
                "==" -> value.compareTo(threshold) == 0
                else -> null
            }
        }

        private fun isExcused(): Boolean {
            val rule = evidence.optional("unless") as? JsonObject ?: return false
            val named = (rule.optional("kind") as? JsonPrimitive)?.content
            if (named == "weak_reference_accepted") return name == "reference_better_than_largest_class"
            if (named != "gain_within_chance") return false
            val paired = evidence.optional("paired") as? JsonObject ?: return false
            val lost = whole(paired, "only_reference_right") ?: return false
            val gained = whole(paired, "only_candidate_right") ?: return false
            val significance = decimal(rule.getValue("significance"))
            return gained > lost && McNemar.exact(lost.toInt(), gained.toInt()) >= significance.toDouble()
        }

        private fun isExpected(): Boolean {
            fun tolerance(which: String) = evidence.optional("${which}_tolerance")?.let(::decimal) ?: BigDecimal.ZERO
            val expected = evidence["expected"] ?: JsonNull
            return equal(expected, evidence["found"] ?: JsonNull, tolerance("relative"), tolerance("absolute"))
        }

        private fun equal(expected: JsonElement, found: JsonElement, relative: BigDecimal, absolute: BigDecimal): Boolean =
            when {
                expected is JsonObject && found is JsonObject -> expected.keys == found.keys &&
                    expected.all { (key, one) -> equal(one, found.getValue(key), relative, absolute) }
                expected is JsonArray && found is JsonArray -> expected.size == found.size &&
                    expected.indices.all { equal(expected[it], found[it], relative, absolute) }
                isNumber(expected) && isNumber(found) -> {
                    val one = decimal(expected)
                    val other = decimal(found)
                    (one - other).abs() <= (one.abs().max(other.abs()) * relative).max(absolute)
                }
                else -> expected == found
            }
    }

    companion object {
        private const val PASS = "pass"
        private const val FAIL = "fail"
        private const val INCONCLUSIVE = "inconclusive"
        private const val COMPARISON = "comparison"
        private const val RECALL_DROP = "critical_recall_drop"
        private val OUTCOMES = listOf(PASS, FAIL, INCONCLUSIVE)

        /** One check of each gate that every verdict has, with labels or without. */
        private val ALWAYS = listOf("input_tensor", "candidate_not_finite", "mean_probability_difference", "top1_agreement")

        private fun decimal(value: JsonElement): BigDecimal {
            require(isNumber(value)) { "$value is no number" }
            return BigDecimal(value.jsonPrimitive.content)
        }

        private fun whole(from: JsonObject, key: String): Long? = from.optional(key)?.let {
            if (isNumber(it)) it.jsonPrimitive.content.toLongOrNull() else null
        }

        private fun isNumber(value: JsonElement): Boolean =
            value is JsonPrimitive && value !is JsonNull && !value.isString && value.content !in listOf("true", "false")
    }
}

/** The exact McNemar test of paired answers. */
internal object McNemar {
    /** Returns the two-sided p-value of [lost] against [gained] paired changes, 0 to 1. */
    fun exact(lost: Int, gained: Int): Double {
        val total = lost + gained
        var tail = BigInteger.ZERO
        var term = BigInteger.ONE
        for (k in 0..minOf(lost, gained)) {
            tail += term
            term = term * BigInteger.valueOf((total - k).toLong()) / BigInteger.valueOf((k + 1).toLong())
        }
        val p = BigDecimal(tail.shiftLeft(1)).divide(BigDecimal(BigInteger.ONE.shiftLeft(total)))
        return minOf(1.0, p.toDouble())
    }
}
