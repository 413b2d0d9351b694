package pipeline.demo

import android.app.Activity
import android.graphics.Bitmap
import android.view.View
import android.widget.LinearLayout
import android.widget.TextView
import pipeline.core.Judgement
import pipeline.core.Scored

/** Puts the states of the model and of the photo into the main screen's views. */
internal class MainScreen(private val activity: Activity) {
    private val resources = activity.resources
    private val frame: PhotoFrame = activity.findViewById(R.id.photo)
    private val buttons: View = activity.findViewById(R.id.buttons)
    private val headline: TextView = activity.findViewById(R.id.headline)
    private val words: TextView = activity.findViewById(R.id.words)
    private val bars: LinearLayout = activity.findViewById(R.id.bars)
    private val details: TextView = activity.findViewById(R.id.details)
    private val selfTest: View = activity.findViewById(R.id.self_test)

    fun show(model: ModelState, photo: PhotoState) {
        buttons.visibility = visibleIf(model !is ModelState.Refused)
        frame.visibility = buttons.visibility
        selfTest.visibility = visibleIf(model is ModelState.Ready)
        val ready = (model as? ModelState.Ready)?.model
        val answered = photo as? PhotoState.Answered
        show(picture(photo))
        val judgement = if (ready != null && answered != null) judge(ready, answered.answer) else null
        showBars(judgement)
        details.text = when (model) {
            is ModelState.Ready -> Details(resources).of(model.model, answered?.answer)
            is ModelState.Refused -> resources.getString(R.string.model_refused_details)
            ModelState.Loading -> ""
        }
        details.visibility = visibleIf(details.text.isNotEmpty())
        when {
            model is ModelState.Refused -> say(R.string.model_refused, model.sentence, trouble = true)
            photo is PhotoState.Failed -> say(photo.reason)
            photo is PhotoState.Working -> say(R.string.working, resources.getString(R.string.working_words))
            judgement != null -> say(judgement, ready!!)
            ready == null -> say(R.string.loading, "")
            else -> say(R.string.empty, resources.getString(R.string.empty_words))
        }
    }

    // After an update of the app an old answer may belong to a model of other labels.
    private fun judge(model: LoadedModel, answer: Answer): Judgement? =
        if (answer.modelSha256 != model.bundle.modelSha256) {
            null
        } else {
            model.bundle.decision.judge(model.bundle.description.labels, answer.probabilities)
        }

    private fun picture(photo: PhotoState): Bitmap? = when (photo) {
        is PhotoState.Working -> photo.preview
        is PhotoState.Answered -> photo.preview
        else -> null
    }

    private fun show(picture: Bitmap?) {
        if (picture == null) {
            frame.showPlaceholder()
        } else {
            frame.show(picture)
        }
        frame.contentDescription = resources.getString(if (picture == null) R.string.no_photo else R.string.photo)
    }

    private fun say(reason: Reason) = when (reason) {
        is Reason.Photo -> say(R.string.photo_refused, reason.failure.sentence(resources), trouble = true)
        is Reason.Model -> say(R.string.model_refused, reason.sentence, trouble = true)
    }

    private fun say(judgement: Judgement, model: LoadedModel) {
        val best = judgement.ranked.first()
        val decision = model.bundle.decision
        val sentences = mutableListOf<String>()
        if (judgement.unsure) {
            sentences += resources.getString(
                R.string.unsure_words, best.fullName, Percent.exact(best.probability), Percent.short(decision.unsureBelow!!),
            )
        } else {
            sentences += resources.getString(R.string.answer_words, Percent.exact(best.probability))
        }
        judgement.overThreshold.filter { judgement.unsure || it.label != best.label }.mapTo(sentences) { other ->
            resources.getString(
                R.string.threshold_words, other.fullName,
                Percent.exact(other.probability), Percent.short(decision.thresholds.getValue(other.label)),
            )
        }
        say(if (judgement.unsure) resources.getString(R.string.unsure) else best.fullName, sentences.joinToString("\n"))
    }

    private fun say(title: Int, sentence: String, trouble: Boolean = false) =
        say(resources.getString(title), sentence, trouble)

    private fun say(title: String, sentence: String, trouble: Boolean = false) {
        headline.text = title
        headline.setTextColor(activity.getColor(if (trouble) R.color.trouble else R.color.ink))
        words.text = sentence
        words.visibility = visibleIf(sentence.isNotEmpty())
    }

    private fun showBars(judgement: Judgement?) {
        bars.visibility = visibleIf(judgement != null)
        bars.removeAllViews()
        judgement?.ranked?.forEachIndexed { i, scored -> bars.addView(row(scored, named = i == 0 && !judgement.unsure)) }
    }

    private fun row(scored: Scored, named: Boolean): View {
        val row = activity.layoutInflater.inflate(R.layout.class_row, bars, false)
        row.findViewById<TextView>(R.id.name).text = scored.fullName
        row.findViewById<TextView>(R.id.percent).text = Percent.exact(scored.probability)
        row.findViewById<ProbabilityBar>(R.id.bar).let {
            it.probability = scored.probability
            it.named = named
        }
        // A screen reader says the row as one sentence.
        row.contentDescription = resources.getString(
            R.string.class_row, scored.fullName, Percent.number(scored.probability),
        )
        return row
    }

    private fun visibleIf(condition: Boolean): Int = if (condition) View.VISIBLE else View.GONE
}
