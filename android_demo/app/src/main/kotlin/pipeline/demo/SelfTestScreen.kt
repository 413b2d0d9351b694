package pipeline.demo

import android.app.Activity
import android.view.View
import android.widget.LinearLayout
import android.widget.TextView
import pipeline.core.GoldenResult
import pipeline.core.Outcome
import pipeline.core.SelfTestReport

/** Puts the state of the self-test into its screen's views. */
internal class SelfTestScreen(private val activity: Activity) {
    private val resources = activity.resources
    private val headline: TextView = activity.findViewById(R.id.headline)
    private val words: TextView = activity.findViewById(R.id.words)
    private val latency: TextView = activity.findViewById(R.id.latency)
    private val note: TextView = activity.findViewById(R.id.note)
    private val goldens: LinearLayout = activity.findViewById(R.id.goldens)
    private val again: View = activity.findViewById(R.id.again)
    private val handOver: View = activity.findViewById(R.id.hand_over)

    fun show(state: SelfTestState) {
        val report = (state as? SelfTestState.Done)?.report
        note.visibility = View.GONE
        again.visibility = visibleIf(report != null)
        handOver.visibility = visibleIf(report?.recording != null)
        goldens.removeAllViews()
        report?.results?.forEach { goldens.addView(row(it)) }
        showLatency(report)
        when (state) {
            SelfTestState.Idle -> say(R.string.self_test_running, "")
            is SelfTestState.Running -> say(R.string.self_test_running, progress(state))
            is SelfTestState.Refused -> say(R.string.model_refused, state.sentence, R.color.trouble)
            is SelfTestState.Done -> when (state.report.outcome) {
                Outcome.PASS -> say(R.string.passed, state.report.sentence, R.color.accent)
                Outcome.FAIL -> say(R.string.failed, state.report.sentence, R.color.trouble)
                Outcome.NOTHING_TO_CHECK -> say(R.string.nothing_to_check, state.report.sentence)
            }
        }
    }

    /** Says what became of a hand-over. */
    fun note(text: Int) {
        note.setText(text)
        note.visibility = View.VISIBLE
    }

    private fun progress(state: SelfTestState.Running): String =
        if (state.total == 0) "" else resources.getString(R.string.self_test_progress, state.done, state.total)

    private fun say(title: Int, sentence: String, color: Int = R.color.ink) {
        headline.setText(title)
        headline.setTextColor(activity.getColor(color))
        words.text = sentence
        words.visibility = visibleIf(sentence.isNotEmpty())
    }

    private fun showLatency(report: SelfTestReport?) {
        val p50 = report?.latencyMsP50
        val p90 = report?.latencyMsP90
        latency.visibility = visibleIf(p50 != null && p90 != null)
        if (p50 != null && p90 != null) latency.text = resources.getString(R.string.latency, p50, p90)
    }

    private fun row(result: GoldenResult): View {
        val row = activity.layoutInflater.inflate(R.layout.golden_row, goldens, false)
        val outcome = resources.getString(if (result.passed) R.string.golden_passed else R.string.golden_failed)
        row.findViewById<TextView>(R.id.outcome).let {
            it.text = outcome
            it.setTextColor(activity.getColor(if (result.passed) R.color.accent else R.color.trouble))
        }
        row.findViewById<TextView>(R.id.file).text = result.file
        row.findViewById<TextView>(R.id.about).text = result.about
        row.findViewById<TextView>(R.id.sentence).text = result.sentence
        val ms = result.inferenceMs?.let { resources.getString(R.string.golden_ms, it) }.orEmpty()
        row.findViewById<TextView>(R.id.ms).text = ms
        row.contentDescription = "${result.file}, $outcome. ${result.about} ${result.sentence} $ms".trim()
        return row
    }

    private fun visibleIf(condition: Boolean): Int = if (condition) View.VISIBLE else View.GONE
}
