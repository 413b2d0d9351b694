package pipeline.demo

import android.os.Build
import android.view.View
import android.view.WindowInsets

/** Pads a view by the system's bars and cutouts; Android 15 draws apps under both. */
internal fun View.keepClearOfSystemBars() {
    setOnApplyWindowInsetsListener { view, insets ->
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            val bars = insets.getInsets(WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout())
            view.setPadding(bars.left, bars.top, bars.right, bars.bottom)
            WindowInsets.CONSUMED
        } else {
            @Suppress("DEPRECATION")
            with(insets) {
                view.setPadding(systemWindowInsetLeft, systemWindowInsetTop, systemWindowInsetRight, systemWindowInsetBottom)
                consumeSystemWindowInsets()
            }
        }
    }
}
