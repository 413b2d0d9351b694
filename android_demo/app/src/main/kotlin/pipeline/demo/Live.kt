package pipeline.demo

/**
 * Holds a value that screens show; for the main thread only.
 *
 * A listener hears the present value when it is attached and every later one until it is
 * detached, so an activity that is made anew after a rotation shows what the old one showed.
 */
class Live<T>(initial: T) {
    private val listeners = mutableListOf<(T) -> Unit>()

    var value: T = initial
        set(new) {
            field = new
            listeners.toList().forEach { it(new) }
        }

    fun attach(listener: (T) -> Unit) {
        listeners += listener
        listener(value)
    }

    fun detach(listener: (T) -> Unit) {
        listeners -= listener
    }
}
