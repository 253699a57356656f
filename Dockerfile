# The page in a container: docker build -t shakespeare-gpt . && docker run -p 7860:7860 shakespeare-gpt
FROM python:3.12-slim

RUN useradd --create-home --uid 1000 user
WORKDIR /app

# What changes seldom comes first. PyTorch's own index has a build for CPUs alone, a tenth of the usual size.
COPY requirements.txt ./
RUN pip install --no-cache-dir --extra-index-url https://download.pytorch.org/whl/cpu -r requirements.txt

COPY LICENSE README.md pyproject.toml app.py ./
COPY assets assets
COPY shakespeare_gpt shakespeare_gpt
RUN python -m compileall -q shakespeare_gpt

USER user
ENV GRADIO_SERVER_NAME=0.0.0.0 \
    GRADIO_SERVER_PORT=7860 \
    PYTHONUNBUFFERED=1
EXPOSE 7860
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen('http://127.0.0.1:' + os.environ['GRADIO_SERVER_PORT'] + os.environ.get('GRADIO_ROOT_PATH', '') + '/config', timeout=4)"]
CMD ["python", "app.py"]
